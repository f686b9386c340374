"use strict";
// Uploads that survive a bad line, by tus 1.0.0: what has arrived stays at the
// server, and what has not stays in this browser (IndexedDB) until it has, also
// when the browser is closed in between. A record is
// {id, who, code, kind, name, file, replaces, owner, digest, url, at}.
const uploads = (() => {
  const endpoint = "/api/v1/uploads";
  const life = 4 * 24 * 3600e3; // as long as the server keeps a broken upload
  const most = 8 << 20; // of a file in one piece: what a proxy that holds bodies back can lose
  const still = 60e3; // nothing has moved for so long: the line is dead

  // What is not sent yet. Where there is no IndexedDB, sending works all the
  // same; only closing the browser then loses what is under way.
  const db = new Promise((done) => {
    let r;
    try { r = indexedDB.open("sohoa", 1); } catch { return done(null); }
    r.onupgradeneeded = () => r.result.createObjectStore("uploads", { keyPath: "id", autoIncrement: true });
    r.onsuccess = () => done(r.result);
    r.onerror = r.onblocked = () => done(null);
  });
  async function ask(mode, f) {
    const d = await db;
    if (!d) return undefined;
    return new Promise((ok, no) => {
      const t = d.transaction("uploads", mode, { durability: "strict" }); // the power may fail
      const r = f(t.objectStore("uploads"));
      t.oncomplete = () => ok(r.result);
      t.onerror = t.onabort = () => no(t.error);
    });
  }
  async function keep(u) {
    try {
      const id = await ask("readwrite", (s) => s.put(u));
      if (id !== undefined) u.id = id;
    } catch { /* the disk is full or closed to us: sent without */ }
  }
  async function forget(u) {
    if (u.id === undefined) return;
    try { await ask("readwrite", (s) => s.delete(u.id)); } catch { /* its time will end it */ }
  }
  // What this person has not finished sending; what is too old goes away.
  async function kept(who) {
    let all;
    try { all = (await ask("readonly", (s) => s.getAll())) || []; } catch { return []; }
    const mine = [];
    for (const u of all) {
      if (Date.now() - u.at > life) await forget(u);
      else if (u.who === who) mine.push(u);
    }
    return mine;
  }

  const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

  // The browser's own digest wants the whole file in memory and, elsewhere than
  // on localhost, TLS; without these it is computed here, piece by piece.
  async function sha256(file, inPieces) {
    if (!inPieces && window.crypto && crypto.subtle && file.size <= 64 << 20)
      return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
    const k = new Uint32Array(64), h = new Uint32Array(8), w = new Uint32Array(64);
    // The constants are the first bits of the roots of the first primes (FIPS 180-4).
    const frac = (x) => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
    for (let n = 2, i = 0; i < 64; n++) {
      let prime = true;
      for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
      if (!prime) continue;
      if (i < 8) h[i] = frac(Math.sqrt(n));
      k[i++] = frac(Math.cbrt(n));
    }
    const turn = (x, n) => (x >>> n) | (x << (32 - n));
    const block = (b, at) => {
      for (let i = 0; i < 16; i++, at += 4) w[i] = (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
      }
      let [a, b2, c, d, e, f, g, hh] = h;
      for (let i = 0; i < 64; i++) {
        const t1 = (hh + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
        const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b2) ^ (a & c) ^ (b2 & c))) | 0;
        hh = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b2; b2 = a; a = (t1 + t2) | 0;
      }
      [a, b2, c, d, e, f, g, hh].forEach((v, i) => { h[i] += v; });
    };
    const step = 1 << 20; // a multiple of a block
    let rest = new Uint8Array(0);
    for (let at = 0; at < file.size; at += step) {
      rest = new Uint8Array(await file.slice(at, at + step).arrayBuffer());
      for (let i = 0; i + 64 <= rest.length; i += 64) block(rest, i);
    }
    const tail = rest.subarray(rest.length - (rest.length % 64));
    const end = new Uint8Array(tail.length < 56 ? 64 : 128);
    end.set(tail);
    end[tail.length] = 0x80;
    new DataView(end.buffer).setBigUint64(end.length - 8, BigInt(file.size) * 8n);
    for (let i = 0; i < end.length; i += 64) block(end, i);
    return [...h].map((v) => v.toString(16).padStart(8, "0")).join("");
  }

  const metadata = (o) => Object.entries(o).filter(([, v]) => v)
    .map(([k, v]) => k + " " + btoa(String.fromCharCode(...new TextEncoder().encode(v)))).join(",");

  // One request; status 0: the line is down.
  function ask1(method, url, headers, body, progress) {
    return new Promise((done) => {
      const x = new XMLHttpRequest();
      let timer;
      const alive = () => { clearTimeout(timer); timer = setTimeout(() => x.abort(), still); };
      const end = () => { clearTimeout(timer); done(x); };
      x.open(method, url);
      x.setRequestHeader("Tus-Resumable", "1.0.0");
      for (const [k, v] of Object.entries(headers)) x.setRequestHeader(k, v);
      x.upload.onprogress = (e) => { alive(); if (progress) progress(e.loaded); };
      x.onload = x.onerror = x.onabort = end;
      alive();
      x.send(body);
    });
  }

  // A pause that ends early when the line is back.
  const pause = (ms) => new Promise((done) => {
    const t = setTimeout(end, ms);
    function end() { clearTimeout(t); removeEventListener("online", end); done(); }
    addEventListener("online", end);
  });

  // Sends until the document is there. on: {digest(), progress(part, total),
  // waiting(word)}. Answers {document, again}, or {status, problem} where
  // somebody has to do something.
  async function send(u, on) {
    if (!u.digest) {
      on.digest();
      u.digest = await sha256(u.file);
      await keep(u);
    }
    for (let tries = 0; ; ) {
      let x, offset = 0;
      if (!u.url) {
        x = await ask1("POST", endpoint, { "Upload-Length": String(u.file.size), "Upload-Metadata": metadata({ dossier: u.code, kind: u.kind,
          filename: u.name, sha256: u.digest, replaces: u.replaces, owner_id: u.owner }) });
        if (x.status === 201) {
          u.url = x.getResponseHeader("Location");
          await keep(u);
          if (x.getResponseHeader("Content-Location")) return { document: x.getResponseHeader("Content-Location"), again: true };
        }
      } else {
        x = await ask1("HEAD", u.url, {});
        if (x.status === 404 || x.status === 410) { // too long ago, or never written
          u.url = "";
          continue;
        }
      }
      if (x.status === 200 || x.status === 201) offset = Number(x.getResponseHeader("Upload-Offset"));
      while (x.status >= 200 && x.status < 300) {
        const where = x.getResponseHeader("Content-Location");
        if (where) return { document: where, again: false };
        on.progress(offset, u.file.size);
        const from = offset;
        x = await ask1("PATCH", u.url, { "Upload-Offset": String(from), "Content-Type": "application/offset+octet-stream" },
          u.file.slice(from, from + most), (n) => on.progress(Math.min(from + n, u.file.size), u.file.size));
        if (x.status === 204) {
          offset = Number(x.getResponseHeader("Upload-Offset"));
          tries = 0;
        }
      }
      const after = Number(x.getResponseHeader("Retry-After"));
      if (x.status === 0 || x.status === 409 && x.responseText.includes("upload-offset") || x.status === 408 || x.status === 460) {
        if (x.status === 0) on.waiting("lost");
        await pause(Math.min(30e3, 500 * 2 ** Math.min(tries++, 6)));
      } else if (x.status === 503 || x.status === 429 || x.status === 502 || x.status === 504) {
        on.waiting("busy");
        await pause(1000 * (after || Math.min(30, 2 ** tries++)));
      } else {
        let problem = {};
        try { problem = JSON.parse(x.responseText); } catch { /* not ours: the status says it */ }
        if ((problem.code === "incomplete" || problem.code === "digest-differs") && tries++ < 5) continue; // the line changed something: once more
        return { status: x.status, problem };
      }
    }
  }

  // One window of this browser at a time sends a record; the others answer
  // "elsewhere".
  function once(u, f) {
    if (!navigator.locks || u.id === undefined) return f();
    return navigator.locks.request("sohoa upload " + u.id, { ifAvailable: true }, (lock) => (lock ? f() : "elsewhere"));
  }

  return { keep, kept, forget, sha256, send, once, pause };
})();
