// Package pdfa writes archival copies: PDF/A-2b made from scanned PDFs and from
// image files without changing what is shown.
//
// The writer is an allow-list: a copy holds a page tree, image streams (their
// bytes as they were, wherever PDF/A allows their coding), rewritten content
// streams made of known operators, one output intent and metadata, and nothing
// else. What cannot be carried over without changing what is shown is not
// converted: ErrNotConvertible says what stood in the way, and the caller keeps
// the original.
//
// Output is deterministic: the same bytes and the same Label give the same
// file. It is streamed: image bytes go from the source to the writer in small
// pieces, so memory does not grow with the file.
//
// Nothing is called PDF/A before Check has read the written file and found it
// so. Check shares the syntax reader with the writer but none of its decisions.
//
// The package reads PDFs with a small lazy reader of its own, which keeps the
// cross-reference in memory and nothing else. pdfcpu, which loads whole files,
// is needed for encrypted files only.
package pdfa
