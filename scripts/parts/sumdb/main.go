// Checks files of an audit trail by Go's own packages for transparency logs, note and tlog, and nothing of the gateway: that
// whoever reads their specifications can check it, too.
//
//	sumdb tree KEY EVENTS CHECKPOINTS   every checkpoint of every log, over the exact bytes of its events
//	sumdb proof KEY PROOF               one event, by its proof
//
// KEY is what `gateway audit public` prints. It ends with 0 and "logs L checkpoints C events E", or with 1 and what is wrong.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const lineBytesMax = 1 << 20

// A log that grows in memory.
type log struct {
	hashes []tlog.Hash
	size   int64
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		if index >= int64(len(l.hashes)) {
			return nil, errors.New("a checkpoint of more events than there are")
		}
		found = append(found, l.hashes[index])
	}
	return found, nil
}

func (l *log) add(event []byte) error {
	hashes, err := tlog.StoredHashes(l.size, event, l)
	if err != nil {
		return err
	}
	l.hashes = append(l.hashes, hashes...)
	l.size++
	return nil
}

// The key of an instance signs each of its logs under the name of the log.
func verifier(key, origin string) (note.Verifier, error) {
	parts := strings.SplitN(key, "+", 3)
	if len(parts) != 3 || !strings.HasPrefix(origin, parts[0]+"/") {
		return nil, fmt.Errorf("%s is no log of the key", origin)
	}
	public, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(public) != 33 || public[0] != 1 {
		return nil, errors.New("the key is no Ed25519 key")
	}
	named, err := note.NewEd25519VerifierKey(origin, public[1:])
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(named)
}

type checkpoint struct {
	origin string
	tree   tlog.Tree
}

func open(key, text string) (checkpoint, error) {
	origin, _, _ := strings.Cut(text, "\n")
	by, err := verifier(key, origin)
	if err != nil {
		return checkpoint{}, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(by))
	if err != nil {
		return checkpoint{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return checkpoint{}, errors.New("a checkpoint has three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return checkpoint{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return checkpoint{origin, tlog.Tree{N: size, Hash: hash}}, err
}

func lines(path string, each func([]byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, lineBytesMax), lineBytesMax)
	for scanner.Scan() {
		if err := each(scanner.Bytes()); err != nil {
			return err
		}
	}
	return scanner.Err()
}

func checkTree(key, events, checkpoints string) error {
	logs, count := map[string]*log{}, 0
	err := lines(events, func(line []byte) error {
		var event struct {
			Metadata struct {
				LogName  string `json:"log_name"`
				Sequence int64  `json:"sequence"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return err
		}
		name := event.Metadata.LogName
		if logs[name] == nil {
			logs[name] = &log{}
		}
		if event.Metadata.Sequence != logs[name].size {
			// It came again, as after a crash; or it is missing, which the next checkpoint tells.
			return nil
		}
		count++
		return logs[name].add(line)
	})
	if err != nil {
		return err
	}
	checked := 0
	err = lines(checkpoints, func(line []byte) error {
		var record struct{ Note string }
		if err := json.Unmarshal(line, &record); err != nil {
			return err
		}
		signed, err := open(key, record.Note)
		if err != nil {
			return err
		}
		kept := logs[signed.origin]
		if kept == nil {
			return fmt.Errorf("no event of %s", signed.origin)
		}
		root, err := tlog.TreeHash(signed.tree.N, kept)
		if err != nil {
			return err
		}
		if root != signed.tree.Hash {
			return fmt.Errorf("another root at %d of %s", signed.tree.N, signed.origin)
		}
		checked++
		return nil
	})
	if err == nil {
		fmt.Printf("logs %d checkpoints %d events %d\n", len(logs), checked, count)
	}
	return err
}

func checkProof(key, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, found := bytes.Cut(text, []byte("\n\n"))
	fields := strings.Split(string(head), "\n")
	if !found || len(fields) < 3 || fields[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no proof")
	}
	event, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(fields[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(fields[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	proof := tlog.RecordProof{}
	for _, field := range fields[3:] {
		hash, err := tlog.ParseHash(field)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	root, err := open(key, string(signed))
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, root.tree.N, root.tree.Hash, index, tlog.RecordHash(event)); err != nil {
		return err
	}
	fmt.Printf("event %d of %s\n", index, root.origin)
	return nil
}

func main() {
	err := errors.New("usage: sumdb tree KEY EVENTS CHECKPOINTS | sumdb proof KEY PROOF")
	switch arguments := os.Args[1:]; {
	case len(arguments) == 4 && arguments[0] == "tree":
		err = checkTree(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 3 && arguments[0] == "proof":
		err = checkProof(arguments[1], arguments[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
