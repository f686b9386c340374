"use strict";
// The scan station: what is dropped, chosen, pasted or photographed goes to the
// API one file after the other; the verdict takes the bar's place in the same line.
(() => {
  const code = document.getElementById("code");
  const station = document.getElementById("station");
  const english = document.documentElement.lang === "en";
  if (code) {
    code.select();
    // A barcode reader types wherever the cursor is: give it the code's field.
    document.addEventListener("keydown", (e) => {
      const busy = e.target.closest && e.target.closest("input, button, a, select, label");
      if (!busy && e.key.length === 1 && !e.ctrlKey && !e.metaKey && !e.altKey) {
        code.value = "";
        code.focus();
      }
    });
  }
  if (!station) return;
  const words = JSON.parse(document.getElementById("words").textContent);
  const say = (key) => words[key];
  const url = "/api/v1/dossiers/" + encodeURIComponent(station.dataset.code) + "/documents";
  const digestLimit = 256 << 20; // a browser digests only what it holds in memory
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const waiting = [];
  let sending = 0;

  function line(list, name) {
    const li = document.createElement("li");
    const part = (tag, cls, parent, text) => {
      const e = document.createElement(tag);
      if (cls) e.className = cls;
      if (text) e.textContent = text;
      parent.append(e);
      return e;
    };
    const sign = part("span", "sign soft", li, "◔");
    const mid = part("span", "", li);
    part("span", "name", mid, name);
    const what = part("span", "what", mid);
    const end = part("span", "end", li);
    list.prepend(li);
    return {
      li, end,
      show(s, cls, text) { sign.textContent = s; sign.className = "sign " + cls; what.textContent = text; },
      bar(part, total) {
        let p = what.querySelector("progress");
        if (!p) { what.textContent = ""; p = document.createElement("progress"); what.append(p); }
        p.setAttribute("aria-label", say("sending") + " " + name);
        p.max = total; p.value = part;
        end.textContent = Math.floor((part / total) * 100) + " %";
      },
    };
  }

  async function digest(file) {
    if (!window.crypto || !crypto.subtle || file.size > digestLimit) return "";
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    return "sha-256=:" + btoa(String.fromCharCode(...sum)) + ":";
  }

  function put(job, row, sum) {
    return new Promise((done) => {
      const x = new XMLHttpRequest();
      const q = new URLSearchParams({ kind: job.kind });
      if (job.replaces) q.set("replaces", job.replaces);
      if (job.reuses) q.set("reuses", job.reuses);
      x.open("PUT", url + "?" + q);
      x.setRequestHeader("Prefer", "wait=20");
      x.setRequestHeader("Content-Type", "application/octet-stream");
      if (!job.reuses) x.setRequestHeader("Content-Disposition", "attachment; filename*=UTF-8''" + encodeURIComponent(job.file.name).replace(/['()*]/g, (c) => "%" + c.charCodeAt(0).toString(16)));
      if (sum) x.setRequestHeader("Content-Digest", sum);
      if (ownerID()) x.setRequestHeader("Sohoa-Owner-Id", ownerID());
      x.upload.onprogress = (e) => { if (e.lengthComputable) row.bar(e.loaded, e.total); };
      x.upload.onload = () => { row.end.textContent = ""; row.show("◔", "soft", say("checking")); };
      x.onload = () => done(x);
      x.onerror = x.ontimeout = () => done(null);
      x.send(job.file);
    });
  }

  const owner = document.getElementById("owner");
  const ownerID = () => (owner.checkValidity() ? owner.value.trim() : "");

  const body = (text) => { try { return JSON.parse(text); } catch { return {}; } };
  const message = (p) => (english ? p.message_en : p.message_vi) || p.title || "";

  async function send(job) {
    const row = job.row;
    row.show("◔", "soft", say("digest"));
    let sum = "";
    try { if (!job.reuses) sum = await digest(job.file); } catch { /* the server hashes in any case */ }
    for (let tries = 0; ; tries++) {
      const x = await put(job, row, sum);
      row.end.textContent = "";
      if (x === null || x.status === 503 || x.status === 429) {
        row.show("◔", "warn", say(x === null ? "lost" : "busy"));
        const after = x && Number(x.getResponseHeader("Retry-After"));
        await pause(1000 * (after || Math.min(30, 2 ** tries)));
        continue;
      }
      if (x.status === 202) return follow(job, x.getResponseHeader("Location"));
      return verdict(job, x.status, body(x.responseText));
    }
  }

  // The document is safe; only its verdict is still to come.
  async function follow(job, where) {
    for (let tries = 0; tries < 30; tries++) {
      try {
        const r = await fetch(where, { headers: { Prefer: "wait=20" } });
        if (r.status !== 202 && r.status !== 503) return verdict(job, r.status, await r.json());
        await pause(1000 * (Number(r.headers.get("Retry-After")) || 2));
      } catch { await pause(3000); }
    }
    job.row.show("◔", "soft", say("kept"));
  }

  // What the dossier still lacks, as the server sees it now.
  async function refresh() {
    try {
      const r = await fetch(location.pathname + "?code=" + encodeURIComponent(station.dataset.code));
      const fresh = new DOMParser().parseFromString(await r.text(), "text/html").getElementById("lacks");
      if (r.ok && fresh) document.getElementById("lacks").replaceChildren(...fresh.childNodes);
    } catch { /* the next verdict asks again */ }
  }

  function verdict(job, status, d) {
    const row = job.row;
    if (status === 200 || status === 201) {
      const v = d.verdict || {};
      const flags = (v.findings || []).map((f) => (f.page ? (english ? "page " : "trang ") + f.page + ": " : "") + (words["flag " + f.code] || f.code));
      const dpi = v.min_dpi ? ", " + v.min_dpi + " dpi" : "";
      if (job.replaced) job.replaced.remove();
      refresh();
      const facts = v.pages + " " + say("pages") + dpi + (v.signed ? " · " + say("signed") : "") + (d.slip && d.slip.reuses ? " · " + say("reused") : "") + (status === 200 ? " · " + say("again") : "");
      row.show(flags.length ? "⚑" : "✔", flags.length ? "warn" : "ok", flags.length ? facts + " · " + flags.join(" ") : facts);
      const a = document.createElement("a");
      a.href = "/documents/" + d.id;
      a.textContent = say("see");
      const img = document.createElement("img");
      img.alt = "";
      img.onerror = () => img.remove();
      img.src = "/documents/" + d.id + "/pages/1?dpi=24";
      row.end.textContent = "";
      row.end.append(img, a);
      return;
    }
    row.show("✘", "no", message(d));
    if (status === 422 || status === 400 || status === 413) {
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = say("rescan");
      b.onclick = () => { row.li.remove(); job.zone.querySelector("input").click(); };
      row.end.append(b);
    }
  }

  async function next() {
    if (sending >= 2) return;
    const job = waiting.shift();
    if (!job) return;
    sending++;
    next();
    try { await send(job); } catch { job.row.show("✘", "no", say("lost")); }
    sending--;
    next();
  }

  function take(zone, files, more) {
    const list = zone.parentElement.querySelector("ul.files");
    for (const file of files) {
      waiting.push({ file, zone, kind: zone.dataset.kind, row: line(list, file.name), ...more });
      next();
    }
    if (code) { code.focus(); code.select(); }
  }

  // A better scan takes the place of the one in its line.
  station.addEventListener("click", (e) => {
    const b = e.target.closest("[data-replaces]");
    if (!b) return;
    const zone = b.closest("section").querySelector(".drop");
    const pick = document.createElement("input");
    pick.type = "file";
    pick.accept = zone.querySelector("input").accept;
    pick.onchange = () => take(zone, pick.files, { replaces: b.dataset.replaces, replaced: b.closest("li") });
    pick.click();
  });

  // Papers of the same owner that are digitised already need no scanner.
  const reusable = document.getElementById("reusable");
  document.getElementById("owner-form").addEventListener("submit", async (e) => {
    e.preventDefault();
    reusable.replaceChildren();
    if (!ownerID()) return owner.reportValidity();
    let list;
    try {
      const r = await fetch("/api/v1/reusable", { headers: { "Sohoa-Owner-Id": ownerID() } });
      list = await r.json();
      if (!r.ok) { reusable.textContent = message(list); return; }
    } catch { reusable.textContent = say("lost"); return; }
    if (!list.length) { reusable.textContent = say("none"); return; }
    const local = (d) => d.split("-").reverse().join("/");
    for (const p of list) {
      const li = document.createElement("li");
      const text = document.createElement("span");
      text.textContent = p.name + " · " + p.pages + " " + say("pages") + " · " + say("digitised") + " " + local(p.digitised_on) + (p.valid_to ? " · " + say("valid-to") + " " + local(p.valid_to) : "");
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = say("reuse");
      b.onclick = () => {
        li.remove();
        take(zones[p.kind === "component" ? 0 : 1], [new File([], p.name)], { reuses: p.id });
      };
      li.append(text, b);
      reusable.append(li);
    }
  });

  const zones = [...station.querySelectorAll(".drop")];
  for (const zone of zones) {
    const input = zone.querySelector("input");
    input.addEventListener("change", () => { take(zone, input.files); input.value = ""; });
    zone.addEventListener("dragover", (e) => { e.preventDefault(); zone.classList.add("over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (e) => {
      e.preventDefault();
      zone.classList.remove("over");
      take(zone, e.dataTransfer.files);
    });
  }
  document.addEventListener("paste", (e) => {
    if (e.clipboardData && e.clipboardData.files.length) { e.preventDefault(); take(zones[0], e.clipboardData.files); }
  });
  window.addEventListener("beforeunload", (e) => { if (sending || waiting.length) e.preventDefault(); });
})();
