//go:build tools

// Package tools names what is built, so that `go mod tidy` knows it.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
