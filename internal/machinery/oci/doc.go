// Package oci is the embedded artifact registry, and what packs, pushes, pulls and unpacks images.
//
// A Registry is one folder, owned by one process:
//
//	blobs/sha256/ab/abcd…                    content, of blobs and of manifests
//	repositories/NAME/_blobs/HEX             this repository may hand out that blob
//	repositories/NAME/_manifests/HEX         likewise a manifest; the file holds its media type
//	repositories/NAME/_tags/TAG              the digest that the tag names
//	repositories/NAME/_referrers/HEX/HEX     a manifest (second) whose subject is the first
//	uploads/ID/{repository,data}             what is being pushed
//
// Invariants, at every instant and so also after a kill: a file under blobs has the content that its name
// says; a link under _blobs or _manifests is written after the content is durable, a tag after its manifest.
// What a kill can leave behind is content that nothing names, which Collect removes.
//
// A blob is handed out only through a repository that has a link to it, so that rights on one repository say
// nothing about the blobs of another. The registry knows no principals; the face that serves it asks for rights.
package oci
