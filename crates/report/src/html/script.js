"use strict";
// Rows come from inert JSON, chunk by chunk, and every text of theirs goes in as text: nothing here makes markup of it.
(() => {
  const SEVERITIES = ["info", "low", "medium", "high", "critical"];
  const SEVERITY_LOOK = ["", "", "doubt", "bad", "bad"];
  const STATUSES = ["not ready", "in danger", "unknown", "not protected", "no earlier release", "protected", "ready"];
  const STATUS_LOOK = ["bad", "bad", "doubt", "doubt", "", "good", "good"];
  const RELEASE_LOOK = { p: "good", n: "doubt", u: "doubt", x: "bad" };
  const RELEASE_WORD = { p: "protected", n: "not protected", u: "not known", x: "not restorable" };
  const PAGE = 50;
  const PRINTED = 2000;
  const $ = (id) => document.getElementById(id);
  const number = (value) => value.toLocaleString("en-US");

  function make(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }

  function draw(name, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  const tag = (look, text) => make("span", { class: "tag " + look }, text);
  const code = (text) => make("code", {}, text);

  // ---- data

  const services = [];
  const findings = [];

  function target(row) {
    const [rank, label, artifact, look, running, to, state, reasons] = row;
    return { rank, label, artifact, look, running: running === 1, wanted: running === 2, to: to === 1, state, reasons };
  }

  function take(chunk) {
    const words = chunk.words;
    for (const row of chunk.rows) {
      const [source, name, status, complete, current, to, depth, keep, trouble, targets, gaps, found] = row;
      const service = { source, name, status, complete: complete === 1, current, to, depth, keep, trouble, gaps };
      service.targets = targets.map((each) => target(each.map((part, at) => (at >= 6 ? words[part] : part))));
      service.findings = found.map((each) => {
        const [severity, kind, reference, artifact, previous, message, remedy, since, isNew, sequence, waived] = each;
        const finding = { service, severity, code: words[kind], reference, artifact, previous, message,
          remedy: words[remedy], since, isNew: isNew === 1, sequence, waived };
        findings.push(finding);
        return finding;
      });
      service.worst = service.findings.reduce((worst, each) => (each.waived ? worst : Math.max(worst, each.severity)), -1);
      if (name !== null) services.push(service);
    }
  }

  const where = (service) => service.name === null ? (service.source || "policy") : service.name;
  const within = (service) => (service.name !== null && severalSources() ? service.source : "");
  const severalSources = () => $("services").dataset.sources === "several";
  const protectedCount = (service) => service.targets.filter((each) => each.look === "p").length;

  function haystack(item) {
    if (item.haystack === undefined) {
      const parts = item.service
        ? [item.code, item.service.source, item.service.name, item.reference, item.artifact, item.previous, item.message,
          item.remedy, item.waived && "waived " + item.waived]
        : [item.source, item.name, item.current, item.to, item.trouble, STATUSES[item.status],
          ...item.targets.flatMap((each) => [each.label, each.artifact, each.state])];
      item.haystack = parts.filter(Boolean).join("\n").toLowerCase();
    }
    return item.haystack;
  }

  // ---- drawing

  // The rails and one bar for each target: whole, dashed or dotted, so that colour is not the only sign.
  function miniature(service) {
    const width = 86;
    const shown = service.targets.slice(0, Math.max(service.keep, 5));
    const places = Math.max(service.keep, shown.length, 1);
    const step = (width - 6) / places;
    const svg = draw("svg", { class: "mini", width, height: 24, viewBox: "0 0 " + width + " 24", role: "img",
      "aria-label": releaseWords(service) });
    svg.append(draw("rect", { x: 0, y: 2, width, height: 2, class: "f-line" }),
      draw("rect", { x: 0, y: 20, width, height: 2, class: "f-line" }));
    for (let place = 0; place < places; place += 1) {
      const each = shown[place];
      const x = 5 + place * step;
      if (!each) {
        svg.append(draw("rect", { x: x + 2, y: 11, width: 3, height: 2, class: "f-line" }));
        continue;
      }
      const look = "f-" + RELEASE_LOOK[each.look];
      const parts = each.look === "p" ? [[4, 16]] : each.look === "x" ? [[4, 3], [17, 3]] : [[4, 4], [10, 4], [16, 4]];
      for (const [y, height] of parts) svg.append(draw("rect", { x, y, width: 7, height, rx: 1, class: look }));
    }
    return svg;
  }

  function releaseWords(service) {
    const releases = service.targets.map((each) => (each.label || each.artifact) + ": " + RELEASE_WORD[each.look]);
    return releases.length ? releases.join("; ") : "no rollback target";
  }

  function releases(service) {
    const list = make("ol", { class: "releases", "aria-label": "Release list of " + where(service) });
    service.targets.forEach((each) => {
      const flags = make("span", { class: "flags" });
      if (each.running) flags.append(tag("", "running"));
      if (each.wanted) flags.append(tag("", "wanted, does not run"));
      if (each.to) flags.append(tag("good", "\u2190 roll back to this"));
      flags.append(tag(RELEASE_LOOK[each.look], RELEASE_WORD[each.look]));
      list.append(make("li", { class: RELEASE_LOOK[each.look] },
        make("span", { class: "rank" }, each.rank === null ? "+" : String(each.rank)),
        make("span", { class: "name" }, each.label || "no tag names it"), flags,
        each.state === RELEASE_WORD[each.look] ? null : make("span", { class: "state" }, each.state),
        make("span", { class: "id" }, code(each.artifact)),
        each.reasons ? make("span", { class: "id" }, "kept because: ", each.reasons) : null));
    });
    for (let place = service.targets.filter((each) => each.rank !== null).length; place < service.keep; place += 1) {
      list.append(make("li", { class: "none" }, make("span", { class: "rank" }, String(place + 1)), "no release known"));
    }
    return list;
  }

  function serviceDetail(service) {
    const left = make("div", {}, make("h3", {}, "Release list"), releases(service));
    const right = make("div", {});
    if (service.trouble) right.append(make("p", {}, service.trouble));
    if (service.gaps.length) {
      right.append(make("h3", {}, "Not read"),
        make("ul", {}, ...service.gaps.map((gap) => make("li", {}, gap))));
    }
    right.append(make("h3", {}, service.findings.length ? "Findings" : "No findings"));
    const shown = service.findings.slice(0, 20);
    right.append(make("ul", { class: "plain" }, ...shown.map((each) => make("li", {},
      severityTag(each), " ", code(each.code), make("p", { class: "small" }, each.message)))));
    if (shown.length < service.findings.length) {
      right.append(make("p", { class: "small soft" },
        "and " + number(service.findings.length - shown.length) + " more; search the findings for " + where(service)));
    }
    return make("div", { class: "cols" }, left, right);
  }

  function severityTag(finding) {
    if (finding.waived) return tag("off", "waived " + SEVERITIES[finding.severity]);
    return tag(SEVERITY_LOOK[finding.severity], SEVERITIES[finding.severity]);
  }

  function fact(list, name, value) {
    if (value === null || value === undefined || value === "") return;
    list.append(make("dt", {}, name), make("dd", {}, value));
  }

  function findingDetail(finding) {
    const list = make("dl", { class: "facts" });
    fact(list, "What to do", finding.remedy);
    fact(list, "Source", finding.service.source);
    fact(list, "Reference", finding.reference && code(finding.reference));
    fact(list, "Artifact", finding.artifact && code(finding.artifact));
    fact(list, "Pointed at before", finding.previous && code(finding.previous));
    fact(list, "First seen", finding.since + (finding.isNew ? " (this run)" : ""));
    fact(list, "Evidence", finding.sequence === null ? "no ledger was kept" : "ledger commit " + finding.sequence);
    fact(list, "Waived", finding.waived);
    return list;
  }

  // ---- tables

  let serial = 0;

  class Table {
    constructor(id, items, columns, detail, order) {
      this.items = items;
      this.columns = columns;
      this.detail = detail;
      this.table = $(id + "-table");
      this.body = this.table.tBodies[0];
      this.status = $(id + "-status");
      this.button = $(id + "-more");
      this.box = $(id + "-search");
      this.sorted = order;
      this.filters = new Map();
      this.shown = 0;
      this.found = [];
      this.head();
      this.box.addEventListener("input", () => this.later());
      this.button.addEventListener("click", () => this.grow(PAGE));
    }

    head() {
      this.heads = this.columns.map((column) => {
        const cell = make("th", { scope: "col", role: "columnheader", class: column.number ? "num" : null });
        if (column.key) {
          const button = make("button", { type: "button" }, column.title);
          button.addEventListener("click", () => this.sortBy(column));
          cell.append(button);
        } else {
          cell.append(column.title);
        }
        return cell;
      });
      this.table.tHead.append(make("tr", { role: "row" }, ...this.heads));
      this.mark();
    }

    mark() {
      this.columns.forEach((column, at) => {
        if (!column.key) return;
        const mine = column.name === this.sorted.name;
        this.heads[at].setAttribute("aria-sort", mine ? (this.sorted.down ? "descending" : "ascending") : "none");
      });
    }

    sortBy(column) {
      const again = this.sorted.name === column.name;
      this.sorted = { name: column.name, down: again ? !this.sorted.down : column.first === "down" };
      this.mark();
      this.refresh();
    }

    later() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), 120);
    }

    refresh() {
      const words = this.box.value.toLowerCase().split(/\s+/).filter(Boolean);
      const tests = [...this.filters.values()];
      this.found = this.items.filter((item) => tests.every((test) => test(item))
        && words.every((word) => haystack(item).includes(word)));
      const { key } = this.columns.find((column) => column.name === this.sorted.name);
      const way = this.sorted.down ? -1 : 1;
      const keyed = this.found.map((item, at) => [key(item), at, item]);
      keyed.sort(([a, i], [b, j]) => (a < b ? -way : a > b ? way : i - j));
      this.found = keyed.map(([, , item]) => item);
      this.shown = 0;
      this.body.replaceChildren();
      this.grow(PAGE);
      const all = this.found.length === this.items.length;
      this.status.textContent = (all ? "" : number(this.found.length) + " of ") + number(this.items.length) + " "
        + this.table.dataset.things;
    }

    grow(by) {
      const until = Math.min(this.found.length, this.shown + by);
      const rows = document.createDocumentFragment();
      for (; this.shown < until; this.shown += 1) rows.append(this.row(this.found[this.shown]));
      this.body.append(rows);
      const left = this.found.length - this.shown;
      this.button.hidden = left === 0;
      this.button.textContent = "Show " + number(Math.min(PAGE, left)) + " more of " + number(left);
    }

    row(item) {
      const row = make("tr", { role: "row" });
      this.columns.forEach((column) => {
        const head = column.opens;
        const cell = make(head ? "th" : "td", { scope: head ? "row" : null, role: head ? "rowheader" : "cell",
          class: column.number ? "num" : null, "data-label": head ? null : column.title });
        const content = column.show(item);
        if (head) {
          const button = make("button", { class: "open", type: "button", "aria-expanded": "false" }, content);
          button.addEventListener("click", () => this.toggle(row, button, item));
          cell.append(button, ...(column.under ? column.under(item) : []));
        } else {
          cell.append(content);
        }
        row.append(cell);
      });
      return row;
    }

    toggle(row, button, item) {
      const open = button.getAttribute("aria-expanded") === "true";
      if (open) {
        row.nextElementSibling.remove();
        button.removeAttribute("aria-controls");
      } else {
        serial += 1;
        const id = "detail-" + serial;
        row.after(make("tr", { class: "detail", role: "row", id },
          make("td", { role: "cell", colspan: this.columns.length }, this.detail(item))));
        button.setAttribute("aria-controls", id);
      }
      button.setAttribute("aria-expanded", String(!open));
    }
  }

  function chips(box, values, table, name, of) {
    const off = new Set();
    values.forEach(([value, text]) => {
      const button = make("button", { type: "button", "aria-pressed": "true" }, text);
      button.addEventListener("click", () => {
        if (!off.delete(value)) off.add(value);
        button.setAttribute("aria-pressed", String(!off.has(value)));
        table.filters.set(name, (item) => !off.has(of(item)));
        table.refresh();
      });
      box.append(button);
    });
  }

  function choices(select, values, table, name, of) {
    for (const value of values) select.append(make("option", { value }, value));
    select.addEventListener("change", () => {
      if (select.value === "") table.filters.delete(name);
      else table.filters.set(name, (item) => of(item) === select.value);
      table.refresh();
    });
  }

  const serviceTable = new Table("services", services, [
    { name: "service", title: "Service", opens: true, key: (of) => of.name, show: where,
      under: (of) => (within(of) ? [make("div", { class: "small soft under" }, within(of))] : []) },
    { name: "status", title: "Status", key: (of) => of.status * 10 - of.worst,
      show: (of) => tag(STATUS_LOOK[of.status], STATUSES[of.status]) },
    { name: "current", title: "Current release", key: (of) => of.current, show: (of) => make("span", { class: "name" }, of.current) },
    { name: "to", title: "Roll back to", key: (of) => of.to, show: (of) => make("span", { class: "name" }, of.to) },
    { name: "releases", title: "Releases", show: miniature },
    { name: "protected", title: "Protected", number: true,
      key: (of) => protectedCount(of) - of.targets.length / 1000,
      show: (of) => protectedCount(of) + " of " + of.targets.length },
    { name: "worst", title: "Worst finding", key: (of) => of.worst, first: "down",
      show: (of) => (of.worst < 0 ? make("span", { class: "soft" }, "none") : tag(SEVERITY_LOOK[of.worst], SEVERITIES[of.worst])) },
  ], serviceDetail, { name: "status", down: false });

  const findingTable = new Table("findings", findings, [
    { name: "message", title: "Finding", opens: true, key: (of) => of.message, show: (of) => of.message },
    { name: "severity", title: "Severity", first: "down", key: (of) => (of.waived ? of.severity - 10 : of.severity),
      show: severityTag },
    { name: "code", title: "Code", key: (of) => of.code, show: (of) => code(of.code) },
    { name: "service", title: "About", key: (of) => where(of.service), show: (of) => make("span", { class: "name" }, where(of.service)) },
    { name: "since", title: "First seen", first: "down", key: (of) => of.since, show: (of) => of.since + (of.isNew ? " \u00b7 new" : "") },
  ], findingDetail, { name: "severity", down: true });

  // ---- start

  function finish() {
    const present = (list, of) => [...new Set(list.map(of))].sort();
    const statuses = present(services, (of) => of.status);
    chips($("services-statuses"), statuses.map((value) => [value, STATUSES[value]]), serviceTable, "status", (of) => of.status);
    const kind = (of) => (of.waived ? "waived" : SEVERITIES[of.severity]);
    const kinds = [...SEVERITIES].reverse().concat("waived").filter((value) => findings.some((of) => kind(of) === value));
    chips($("findings-severities"), kinds.map((value) => [value, value]), findingTable, "severity", kind);
    choices($("findings-codes"), present(findings, (of) => of.code), findingTable, "code", (of) => of.code);
    choices($("services-sources"), present(services, (of) => of.source), serviceTable, "source", (of) => of.source);
    serviceTable.refresh();
    findingTable.refresh();
    document.documentElement.dataset.ready = "yes";
  }

  const blocks = [...document.querySelectorAll('script[type="application/json"]')];
  function next(at) {
    if (at === blocks.length) return finish();
    take(JSON.parse(blocks[at].textContent));
    if (at === 0) { serviceTable.refresh(); findingTable.refresh(); }
    setTimeout(next, 0, at + 1);
  }
  next(0);

  for (const button of document.querySelectorAll("button[data-code]")) {
    button.addEventListener("click", () => {
      const select = $("findings-codes");
      select.value = button.dataset.code;
      select.dispatchEvent(new Event("change"));
      $("findings").scrollIntoView();
      findingTable.table.focus({ preventScroll: true });
    });
  }

  const theme = $("theme");
  const dark = () => (document.documentElement.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = dark() ? "Light theme" : "Dark theme"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  name();

  // On paper nothing grows by scrolling.
  addEventListener("beforeprint", () => { serviceTable.grow(PRINTED); findingTable.grow(PRINTED); });
})();
