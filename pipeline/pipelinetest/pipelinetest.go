// Package pipelinetest makes archives for tests and benchmarks: whole documents
// with their records, as the pipeline writes them, without judging a byte.
package pipelinetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
)

// Ledger is where the documents are entered.
type Ledger interface {
	Receive(ctx context.Context, in dossier.Intake) (dossier.Standing, error)
	Settle(ctx context.Context, rec dossier.Record) error
}

// Made is an archive to be made. What the i-th document is follows from i alone.
type Made struct {
	Store  storage.Store
	Ledger Ledger // nil: only the archive
	Unit   dossier.UnitCode
	Size   int64 // of an original; every third document has an archive copy besides
}

var began = time.Date(2024, 8, 1, 8, 0, 0, 0, dossier.Zone)

// Code is the dossier of the i-th document: eight in each.
func (m Made) Code(i int) dossier.Code {
	return dossier.Code(fmt.Sprintf("%s-240801-%06d", m.Unit, i/8))
}

// Document makes the i-th document.
func (m Made) Document(ctx context.Context, i int) (dossier.Record, error) {
	in := dossier.Intake{
		ID: id(i),
		Slip: dossier.Slip{Kind: dossier.Component, Dossier: m.Code(i), Unit: m.Unit, Paper: dossier.PaperCode(fmt.Sprintf("GT%02d", i%8)),
			Name: "Giấy tờ", FileName: "quét.pdf", By: "test", Door: dossier.DoorBackfill},
		ReceivedAt: began.Add(time.Duration(i) * time.Second).UTC(),
	}
	file := func(name string, seed uint64) (dossier.File, []byte) {
		body := random(seed, m.Size)
		sum := sha256.Sum256(body)
		return dossier.File{Key: string(pipeline.Folder(in)) + "/" + name, MediaType: "application/pdf",
			Size: m.Size, SHA256: dossier.Digest(hex.EncodeToString(sum[:]))}, body
	}
	put := func(f dossier.File, body []byte) error {
		return m.Store.Put(ctx, storage.Key(f.Key), bytes.NewReader(body), storage.Info{Size: f.Size, SHA256: string(f.SHA256), ContentType: f.MediaType})
	}
	var body []byte
	in.Original, body = file("original.pdf", uint64(2*i))
	if err := put(in.Original, body); err != nil {
		return dossier.Record{}, err
	}
	rec := dossier.Record{Schema: dossier.RecordSchema, ID: in.ID, Slip: in.Slip, Original: in.Original, Conforms: dossier.AsOriginal,
		Verdict:    dossier.Verdict{Profile: "nd30-2020", Pages: 1, Scan: true, MinDPI: 300, Colour: dossier.FullColour, PageSize: "A4"},
		ReceivedAt: in.ReceivedAt, Tool: "sohoa test",
		Events: []dossier.Event{{Type: "ingestion", At: in.ReceivedAt, Agent: "test", Detail: "backfill"}}}
	if i%3 == 0 {
		copied, body := file("archive.pdf", uint64(2*i+1))
		if err := put(copied, body); err != nil {
			return rec, err
		}
		rec.Archive, rec.Conforms = &copied, dossier.PDFA2b
	}
	b, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return rec, err
	}
	b = append(b, '\n')
	if err := m.Store.Put(ctx, pipeline.Folder(in)+"/record.json", bytes.NewReader(b), storage.Info{Size: int64(len(b)), ContentType: "application/json"}); err != nil {
		return rec, err
	}
	if m.Ledger == nil {
		return rec, nil
	}
	if _, err := m.Ledger.Receive(ctx, in); err != nil {
		return rec, err
	}
	return rec, m.Ledger.Settle(ctx, rec)
}

// id is a UUID of version 7.
func id(i int) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], uint64(began.UnixMilli()+int64(i))<<16)
	binary.BigEndian.PutUint64(u[8:], uint64(i))
	u[6], u[8] = u[6]&0x0f|0x70, u[8]&0x3f|0x80
	return u.String()
}

func random(seed uint64, n int64) []byte {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b) // never fails
	return b
}
