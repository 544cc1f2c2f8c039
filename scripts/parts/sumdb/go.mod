// What scripts/parts/install builds the second verifier of the audit trail from; nothing of it is part of the product.
// Every version builds with Go 1.19.
module sallyport-test-parts/sumdb

go 1.19

require golang.org/x/mod v0.17.0
