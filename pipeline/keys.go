package pipeline

import (
	"fmt"
	"net/url"
	"path"

	"sohoa/dossier"
	"sohoa/storage"
)

// Folder is where a document's objects lie. It follows from the intake alone
// and never changes, also when the dossier moves to another unit.
func Folder(in dossier.Intake) storage.Key {
	s := in.Slip
	if s.Kind == dossier.ResultInForce {
		year := "0000"
		if s.IssuedOn != 0 {
			year = fmt.Sprintf("%04d", s.IssuedOn.Year())
		}
		return storage.Key(path.Join("results", string(s.Unit), year, in.ID))
	}
	return storage.Key(path.Join("dossiers", string(s.Unit), string(s.Dossier), in.ID))
}

const (
	recordName    = "record.json"
	refusalName   = "rejected.json"
	tombstoneName = "tombstone.json"
	archiveName   = "archive.pdf"
	eventPrefix   = "event-" // event-0001.json, …: what happened after the verdict
	slipPrefix    = "slip-"  // slip-….json: the slip as it was corrected, named by an event
)

// IsVerdict reports whether the object is a record or a refusal: a document's last
// word, written when all that it names stands.
func IsVerdict(key storage.Key) bool {
	name := path.Base(string(key))
	return name == recordName || name == refusalName
}

func inFolder(folder storage.Key, name string) storage.Key { return folder + "/" + storage.Key(name) }

// meta repeats on the object what a records officer needs to know it by without
// us. No owner id and no name.
func meta(in dossier.Intake) map[string]string {
	m := map[string]string{
		"document": in.ID,
		"unit":     string(in.Slip.Unit),
		"kind":     string(in.Slip.Kind),
	}
	for k, v := range map[string]string{
		"dossier":   string(in.Slip.Dossier),
		"procedure": in.Slip.Procedure,
		"paper":     url.PathEscape(string(in.Slip.Paper)),
	} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}
