// Package blob keeps files: on Amazon S3 and what speaks its protocol, on Cloudflare R2, or in a folder of this machine.
//
// Bytes don't pass through the API. A client gets a signed URL, an Upload, and sends its file there; for a download it gets
// another. On S3 and R2 they lead to the bucket, with Local to this process, by a route of its own (Local.Serve). All three
// hold what they were made for: a signed upload takes exactly the length and the media type that were signed, and a download
// is an attachment, which no browser shows as a page of ours.
//
// An upload URL may be used again until it expires. The last use wins, whole. So what was looked at may change afterwards:
// whoever accepts an upload copies it to a key that no URL was made for, and looks at that.
//
// No transaction spans a database and a store. Removals see to it that no file is left behind all the same, whenever a process dies.
//
// A file is put in one request, 5 GiB at most, which is as much as S3 takes in one, and as it takes to copy. So there are no
// parts to put together, and none are left behind by an upload that breaks off.
//
// Why aws-sdk-go-v2, of which only service/s3 is used: it knows S3's signatures, addresses and errors. Its defaults don't fit:
// it adds checksums of its own that R2 and others refuse, and reads a body twice to sign it. Here the payload isn't signed,
// which needs https, or a network that is trusted; so a body is streamed, whatever its size.
//
// Errors: errs.NotFound for what isn't there; errs.Invalid for a bad key, length, range or media type, which is a mistake of
// whoever asks, and for a body that isn't as long as was said; for a store in trouble errs.Unavailable, errs.Timeout and
// errs.External, with its service in the details. None says where the store is, which key was meant or what a key pair is.
package blob
