// Package pdfa writes archival copies: PDF/A-2b made from scanned PDFs and from
// image files without changing what is shown.
//
// The writer is an allow-list: a copy holds a page tree, image streams (their
// bytes as they were, wherever PDF/A allows their coding), rewritten content
// streams made of known operators, the fonts these use with their programs as they
// were, one output intent and metadata, and nothing else. What cannot be carried
// over without changing what is shown is not converted: ErrNotConvertible says
// what stood in the way, and the caller keeps the original. So text in a font that
// is not embedded stays as it came: whichever font were put in its place, it would
// look different.
//
// Output is deterministic: the same bytes and the same Label give the same
// file. It is streamed: image bytes go from the source to the writer in small
// pieces, so memory does not grow with the file.
//
// Nothing is called PDF/A before Check has read the written file and found it
// so. Check shares the syntax reader with the writer but none of its decisions.
//
// Images: JPEG and single-strip CCITT go in as they are, PNG data too where PDF
// can read them, JPEG strips of a TIFF are joined without decoding, other black
// and white strips become Group 4, all else Flate; nothing is coded with loss.
// HEIC is not read: the decoders that are kept up are C libraries under the LGPL
// (libheif with libde265), whether linked or compiled to WebAssembly.
//
// The package reads PDFs with a small lazy reader of its own, which keeps the
// cross-reference in memory and nothing else. pdfcpu, which loads whole files,
// is needed for encrypted files only.
package pdfa
