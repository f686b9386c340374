// Sends one file with tus-js-client, as it comes out of npm; see TestTusJSClient.
// Reads what to do on stdin and says on stdout what became of it.
"use strict";
const tus = require("tus-js-client");
const fs = require("fs");
const crypto = require("crypto");

const o = JSON.parse(fs.readFileSync(0, "utf8"));
const size = fs.statSync(o.file).size;
const chunk = o.checksums ? 512 << 10 : Infinity;
const said = { ok: false, error: "", resumed: false, first: -1, document: "" };
const end = () => console.log(JSON.stringify(said));

const upload = new tus.Upload(fs.createReadStream(o.file), {
  endpoint: o.endpoint,
  uploadSize: size,
  chunkSize: chunk,
  retryDelays: o.retry ? [0, 100, 200, 400] : null,
  headers: { Authorization: "Bearer " + o.token },
  metadata: o.metadata,
  urlStorage: new tus.FileUrlStorage(o.store),
  fingerprint: async () => o.metadata.dossier + " " + o.metadata.sha256,
  onBeforeRequest(req) {
    if (req.getMethod() !== "PATCH") return;
    const offset = Number(req.getHeader("Upload-Offset"));
    if (said.first < 0) said.first = offset;
    if (!o.checksums) return;
    const b = Buffer.alloc(Math.min(chunk, size - offset));
    const fd = fs.openSync(o.file);
    fs.readSync(fd, b, 0, b.length, offset);
    fs.closeSync(fd);
    req.setHeader("Upload-Checksum", "sha256 " + crypto.createHash("sha256").update(b).digest("base64"));
  },
  onAfterResponse(req, res) {
    said.document = res.getHeader("Content-Location") || said.document;
  },
  onError(e) { said.error = String(e.message).slice(0, 300); end(); },
  onSuccess() { said.ok = true; end(); },
});
upload.findPreviousUploads().then((previous) => {
  if (previous.length) {
    said.resumed = true;
    upload.resumeFromPreviousUpload(previous[0]);
  }
  upload.start();
});
