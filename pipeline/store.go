package pipeline

import (
	"errors"
	"strconv"

	"sohoa/dossier"
	"sohoa/storage"
)

// Object is a document all of whose bytes are in the archive.
type Object struct {
	Master
	archive *dossier.File // nil where the original is the archive copy
}

// store puts the archival copy beside the original.
func (r *run) store(m Master) (Object, error) {
	if m.copy == nil {
		return Object{Master: m}, nil
	}
	file := dossier.File{
		Key:       string(inFolder(Folder(m.Intake), archiveName)),
		MediaType: "application/pdf",
		Size:      m.copy.Size(),
		SHA256:    dossier.Digest(m.copy.SHA256()),
	}
	info := storage.Info{Size: file.Size, SHA256: string(file.SHA256), ContentType: file.MediaType, Meta: meta(m.Intake)}
	info.Meta["pages"] = strconv.Itoa(m.Verdict.Pages)
	info.Meta["profile"] = m.Verdict.Profile
	info.Meta["conforms"] = string(m.conforms)
	err := r.p.durable(StepArchive, func() error { return r.p.Store.Put(r.ctx, storage.Key(file.Key), m.copy, info) })
	if errors.Is(err, storage.ErrConflict) {
		// An earlier try, by another version of this program, got this far. Its
		// copy is whole, since a Put is, and create-only: it stands.
		var there storage.Info
		if there, err = r.p.Store.Stat(r.ctx, storage.Key(file.Key)); err == nil {
			file.Size, file.SHA256 = there.Size, dossier.Digest(there.SHA256)
		}
	}
	return Object{m, &file}, err
}
