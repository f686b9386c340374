"use strict";
// The scan station: what is dropped, chosen, pasted or photographed is sent by
// upload.js; the verdict takes the bar's place in the same line.
(() => {
  const byId = (id) => document.getElementById(id);
  const code = byId("code"), station = byId("station"), owner = byId("owner");
  const words = JSON.parse(byId("words").textContent);
  const who = byId("words").dataset.who;
  const say = (key) => words[key];
  // "1 page", "2 pages": of {one|other} the half that fits, as the catalogue has it.
  const some = (n, key) => n + " " + say(key).replace(/\{([^{}|]*)\|([^{}|]*)\}/g, n === 1 ? "$1" : "$2");
  const english = document.documentElement.lang === "en";
  const here = station ? station.dataset.code : "";
  const zones = station ? [...station.querySelectorAll(".drop")] : [];
  const zoneOf = (kind) => zones.find((z) => z.dataset.kind === kind);

  // --- The code: typed, by a barcode reader, or by the camera.

  // A receipt's code may stand in an address or among fields; so the server has it.
  const codeIn = (text) => {
    const found = new Set((text.toUpperCase().match(/[A-Z0-9]+(?:\.[A-Z0-9]+)*-[0-9]{6}-[0-9]{4,12}/g)) || []);
    return found.size === 1 ? [...found][0] : "";
  };
  const form = byId("code-form");
  code.select();
  form.addEventListener("submit", (e) => {
    // An identity card's code begins with its number: that is the applicant, and
    // must not get into an address.
    const card = code.value.trim().match(/^(\d{12})(\||$)/);
    if (card) {
      e.preventDefault();
      code.value = here;
      if (owner) { owner.value = card[1]; byId("owner-form").requestSubmit(); }
      return;
    }
    code.value = codeIn(code.value) || code.value.split("|")[0];
  });
  // A barcode reader types wherever the cursor is: give it the code's field.
  document.addEventListener("keydown", (e) => {
    const typing = e.target.closest && e.target.closest("input[type=text], select, textarea, dialog");
    if (!typing && e.key.length === 1 && e.key !== " " && !e.ctrlKey && !e.metaKey && !e.altKey) {
      code.value = "";
      code.focus();
    }
  });

  // --- The camera: reads the code, or photographs papers one after the other.

  const dialog = byId("camera"), video = dialog.querySelector("video"), note = byId("camera-note");
  const shoot = byId("camera-shoot");
  const live = Boolean(navigator.mediaDevices && navigator.mediaDevices.getUserMedia);

  async function detector() {
    let Detector = window.BarcodeDetector, formats = ["qr_code", "code_128"];
    if (Detector) {
      const can = await Detector.getSupportedFormats();
      formats = formats.filter((f) => can.includes(f));
    }
    if (!Detector || !formats.includes("qr_code")) {
      if (!window.qr) await new Promise((ok, no) => {
        const s = document.createElement("script");
        s.src = byId("words").dataset.qr;
        s.onload = ok;
        s.onerror = no;
        document.head.append(s);
      });
      Detector = window.qr.BarcodeDetector;
      formats = ["qr_code"];
    }
    return new Detector({ formats });
  }

  function openCode(text) {
    code.value = text;
    form.requestSubmit();
  }

  async function look() {
    const eye = await detector();
    while (dialog.open) {
      if (video.readyState >= 2) {
        const found = await eye.detect(video).catch(() => []);
        const text = found.map((f) => f.rawValue).find((t) => codeIn(t) || /^\d{12}(\||$)/.test(t));
        if (text && dialog.open) { dialog.close(); return openCode(text); }
      }
      await new Promise((done) => setTimeout(done, 120));
    }
  }

  let photos = 0;
  async function camera(zone) {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 4096 }, height: { ideal: 4096 } } });
    } catch {
      return pick(zone);
    }
    photos = 0;
    byId("camera-title").textContent = zone ? zone.parentElement.querySelector("h2").textContent : say("camera-code");
    note.textContent = "";
    shoot.hidden = !zone;
    video.srcObject = stream;
    dialog.addEventListener("close", () => {
      for (const t of stream.getTracks()) t.stop();
      video.srcObject = null;
      code.focus();
    }, { once: true });
    dialog.showModal();
    await video.play();
    if (!zone) return look();
    shoot.onclick = async () => {
      const photo = await still(stream.getVideoTracks()[0]);
      photos++;
      note.textContent = some(photos, "photos");
      const at = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
      take(zone, [new File([photo], say("photo") + " " + at + "-" + photos + ".jpg", { type: "image/jpeg" })]);
    };
    shoot.focus();
  }

  // A photograph at the camera's own resolution where the browser can, else what
  // the video shows.
  async function still(track) {
    if (window.ImageCapture) {
      try { return await new ImageCapture(track).takePhoto(); } catch { /* some cameras only film */ }
    }
    const c = document.createElement("canvas");
    c.width = video.videoWidth;
    c.height = video.videoHeight;
    c.getContext("2d").drawImage(video, 0, 0);
    return new Promise((done) => c.toBlob(done, "image/jpeg", 0.92));
  }

  // Without a live camera the system's own is asked for a picture.
  function pick(zone) {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = "image/*";
    input.capture = "environment";
    input.onchange = async () => {
      if (zone) return take(zone, input.files);
      const found = await (await detector()).detect(await createImageBitmap(input.files[0])).catch(() => []);
      if (found.length) openCode(found[0].rawValue);
      else form.querySelector("[role=status]").textContent = say("no-code");
    };
    input.click();
  }
  const start = (zone) => (live ? camera(zone) : pick(zone));
  const scan = byId("code-camera");
  scan.hidden = false;
  scan.addEventListener("click", () => start(null));
  byId("camera-done").addEventListener("click", () => dialog.close());

  // --- Files: a line for each, from the first byte to the verdict.

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
        if (!p) {
          this.show("◔", "soft", "");
          p = document.createElement("progress");
          p.setAttribute("aria-label", say("sending") + " " + name);
          what.append(p);
        }
        p.max = total || 1;
        p.value = part;
        end.textContent = Math.floor((part / (total || 1)) * 100) + " %";
      },
    };
  }

  function button(text, name, f) {
    const b = document.createElement("button");
    b.type = "button";
    b.className = "plain";
    b.textContent = text;
    b.setAttribute("aria-label", text + ": " + name);
    b.onclick = f;
    return b;
  }
  function anchor(text, href, name) {
    const a = document.createElement("a");
    a.href = href;
    a.textContent = text;
    if (name) a.setAttribute("aria-label", text + ": " + name);
    return a;
  }

  const message = (p) => (english ? p.message_en : p.message_vi) || p.title || say("lost");
  const ownerID = () => (owner && owner.checkValidity() ? owner.value.trim() : "");

  // One job: send, wait for the verdict, show it. What is safe at the server is
  // forgotten here.
  async function work(job) {
    const { row, u } = job;
    let sent;
    if (u.reuses) sent = await link(u);
    else sent = await uploads.send(u, {
      digest: () => row.show("◔", "soft", say("digest")),
      progress: (part, total) => row.bar(part, total),
      waiting: (word) => { row.end.textContent = ""; row.show("◔", "warn", say(word)); },
    });
    row.end.textContent = "";
    if (sent.document) {
      await uploads.forget(u);
      row.show("◔", "soft", say("checking"));
      return follow(job, sent);
    }
    if (sent.status === 401) { // the session is over; the file waits here
      row.show("!", "warn", message(sent.problem));
      row.end.append(anchor(say("sign-in"), "/login?next=" + encodeURIComponent(location.pathname + location.search)));
      return;
    }
    await uploads.forget(u);
    refused(job, sent.problem);
  }

  // A paper taken over has no bytes to send.
  async function link(u) {
    const q = new URLSearchParams({ kind: u.kind, reuses: u.reuses });
    for (let tries = 0; ; tries++) {
      try {
        const r = await fetch("/api/v1/dossiers/" + encodeURIComponent(u.code) + "/documents?" + q, { method: "PUT", headers: { "Sohoa-Owner-Id": u.owner } });
        const body = await r.json();
        if (r.ok) return { document: r.headers.get("Location"), again: body.again };
        if (r.status !== 503 && r.status !== 429) return { status: r.status, problem: body };
      } catch { /* the line is down: once more, which changes nothing if it was done */ }
      await uploads.pause(Math.min(30e3, 1000 * 2 ** tries));
    }
  }

  // The document is safe; only its verdict is still to come.
  async function follow(job, sent) {
    for (let tries = 0; tries < 30; tries++) {
      try {
        const r = await fetch(sent.document, { headers: { Prefer: "wait=20" } });
        if (r.status === 200 || r.status === 201) return stored(job, await r.json(), sent.again);
        if (r.status !== 202 && r.status !== 503) return refused(job, await r.json());
        await uploads.pause(1000 * (Number(r.headers.get("Retry-After")) || 2));
      } catch { await uploads.pause(3000); }
    }
    job.row.show("◔", "soft", say("kept"));
  }

  function stored(job, d, again) {
    const { row } = job, v = d.verdict || {}, findings = v.findings || [];
    if (job.replaced) job.replaced.remove();
    for (const old of document.querySelectorAll('ul.files li[data-id="' + d.id + '"]')) if (old !== row.li) old.remove(); // the same bytes again
    row.li.dataset.id = d.id;
    const flags = findings.map((f) => (f.page ? say("page") + " " + f.page + ": " : "") + (words["flag " + f.code] || f.code));
    const facts = [some(v.pages, "pages"), v.min_dpi && v.min_dpi + " dpi", v.signed && say("signed"), d.slip && d.slip.reuses && say("reused"), again && say("again")].filter(Boolean).join(" · ");
    row.show(flags.length ? "⚑" : "✔", flags.length ? "warn" : "ok", flags.length ? facts + " · " + flags.join(" ") : facts);
    // The pages that something was found on are the ones to look at.
    const pages = [...new Set(findings.map((f) => f.page).filter(Boolean))].slice(0, 3);
    for (const n of pages.length ? pages : [1]) {
      const a = anchor("", "/documents/" + d.id + (n > 1 ? "#p" + n : ""));
      const img = document.createElement("img");
      img.alt = say("page") + " " + n;
      img.onerror = () => a.remove();
      img.src = "/documents/" + d.id + "/pages/" + n + "?dpi=24";
      a.append(img);
      row.end.append(a);
    }
    if (job.u.code === here && !(d.slip && d.slip.reuses)) row.end.append(button(say("rescan"), job.u.name, () => rescan(row.li, job.u.kind, d.id)));
    row.end.append(anchor(say("see"), "/documents/" + d.id, job.u.name));
    refresh();
  }

  function refused(job, problem) {
    const { row, u } = job;
    row.show("✘", "no", message(problem));
    if (u.file && u.file.type.startsWith("image/")) {
      const img = document.createElement("img");
      img.alt = "";
      img.onload = img.onerror = () => URL.revokeObjectURL(img.src);
      img.src = URL.createObjectURL(u.file);
      row.end.append(img);
    }
    if (u.code === here && !u.reuses) row.end.append(button(say("rescan"), u.name, () => rescan(row.li, u.kind, u.replaces)));
  }

  // A better scan takes the place of the one in its line.
  function rescan(li, kind, replaces) {
    const zone = zoneOf(kind), input = document.createElement("input");
    input.type = "file";
    input.accept = zone.querySelector("input").accept;
    input.onchange = () => take(zone, input.files, { replaces, replaced: li });
    input.click();
  }

  // What the dossier still lacks, as the server sees it now.
  async function refresh() {
    if (!here) return;
    try {
      const r = await fetch(location.pathname + "?code=" + encodeURIComponent(here));
      const fresh = new DOMParser().parseFromString(await r.text(), "text/html").getElementById("lacks");
      if (r.ok && fresh) byId("lacks").replaceChildren(...fresh.childNodes);
    } catch { /* the next verdict asks again */ }
  }

  const waiting = [];
  let sending = 0, unsafe = 0;
  async function next() {
    if (sending >= 2) return;
    const job = waiting.shift();
    if (!job) return;
    sending++;
    next();
    try {
      if ((await uploads.once(job.u, () => work(job))) === "elsewhere") job.row.show("◔", "soft", say("elsewhere"));
    } catch (e) {
      job.row.show("✘", "no", say("lost"));
      console.error(e);
    }
    if (job.u.id === undefined) unsafe--;
    sending--;
    next();
  }
  function queue(job) {
    if (job.u.id === undefined) unsafe++;
    waiting.push(job);
    next();
  }

  async function take(zone, files, more = {}) {
    const list = zone.parentElement.querySelector("ul.files"), kind = zone.dataset.kind;
    for (const file of files) {
      const u = { who, code: here, kind, name: file.name, file, replaces: more.replaces || "", owner: ownerID(), digest: "", url: "", at: Date.now() };
      const row = line(list, file.name);
      row.show("◔", "soft", say("waiting"));
      if (more.replaced) more.replaced.classList.add("old");
      if (more.reuses) u.reuses = more.reuses;
      else await uploads.keep(u);
      queue({ u, row, replaced: more.replaced });
      more = {}; // of several files the first takes the place
    }
    if (!dialog.open) { code.focus(); code.select(); }
  }

  // What an earlier window, or one that was closed, has not finished.
  uploads.kept(who).then((list) => {
    for (const u of list) {
      const zone = u.code === here && zoneOf(u.kind);
      const target = zone ? zone.parentElement.querySelector("ul.files") : byId("others");
      const row = line(target, zone ? u.name : u.code + " · " + u.name);
      row.show("◔", "soft", say("goes-on"));
      byId("others-section").hidden = !byId("others").children.length;
      queue({ u, row });
    }
  });

  // Only what could not be kept here is lost with the window.
  addEventListener("beforeunload", (e) => { if (unsafe > 0) e.preventDefault(); });

  if (!station) return;

  for (const zone of zones) {
    const input = zone.querySelector("input"), photo = zone.querySelector("button");
    photo.hidden = false;
    photo.addEventListener("click", () => start(zone));
    input.addEventListener("change", () => { take(zone, [...input.files]); input.value = ""; });
    zone.addEventListener("dragover", () => zone.classList.add("over"));
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  }
  // A file dropped beside a zone must not take the page away.
  addEventListener("dragover", (e) => e.preventDefault());
  addEventListener("drop", (e) => {
    e.preventDefault();
    for (const zone of zones) zone.classList.remove("over");
    if (e.dataTransfer.files.length) take(e.target.closest(".drop") || zones[0], [...e.dataTransfer.files]);
  });
  document.addEventListener("paste", (e) => {
    if (!e.clipboardData || !e.clipboardData.files.length) return;
    e.preventDefault();
    const section = document.activeElement.closest("section");
    take((section && section.querySelector(".drop")) || zones[0], [...e.clipboardData.files]);
  });
  station.addEventListener("click", (e) => {
    const b = e.target.closest("[data-replaces]");
    if (b) rescan(b.closest("li"), b.closest("section").querySelector(".drop").dataset.kind, b.dataset.replaces);
  });

  // --- Papers of the same owner that are digitised already need no scanner.

  const reusable = byId("reusable");
  byId("owner-form").addEventListener("submit", async (e) => {
    e.preventDefault();
    reusable.replaceChildren();
    if (!ownerID()) return owner.reportValidity();
    const tell = (text) => { const li = document.createElement("li"); li.textContent = text; reusable.replaceChildren(li); };
    let list;
    try {
      const r = await fetch("/api/v1/reusable", { headers: { "Sohoa-Owner-Id": ownerID() } });
      list = await r.json();
      if (!r.ok) return tell(message(list));
    } catch { return tell(say("lost")); }
    if (!list.length) return tell(say("none"));
    const local = (d) => d.split("-").reverse().join("/");
    for (const p of list) {
      const li = document.createElement("li"), text = document.createElement("span");
      text.textContent = [p.name, some(p.pages, "pages"), say("digitised") + " " + local(p.digitised_on), p.valid_to && say("valid-to") + " " + local(p.valid_to)].filter(Boolean).join(" · ");
      li.append(text, button(say("reuse"), p.name, () => {
        li.remove();
        take(zoneOf(p.kind === "component" ? "component" : "result"), [new File([], p.name)], { reuses: p.id });
      }));
      reusable.append(li);
    }
  });
})();
