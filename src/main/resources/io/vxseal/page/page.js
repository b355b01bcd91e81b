// Shows what the node tells by server-sent events. All of it is text of others: it becomes text of elements, never markup.

const RETRY = 30_000;
const STALE = 12_000;
const FEW_EVENTS = 40;
const MANY_EVENTS = 200;

const KINDS = {
  started: "Plugin started",
  network_up: "Network up",
  network_down: "Network down",
  peers: "Endpoints",
  node_joined: "Node joined",
  node_left: "Node left",
  hub_reached: "Manager reached",
  hub_lost: "Manager lost",
  keys: "Keys",
  repaired: "Repaired",
  error: "Error",
  condition_began: "Trouble began",
  condition_ended: "Trouble over",
};

const PATH_TROUBLE = {
  path_silent: "nothing comes back",
  path_mtu: "MTU too small",
  obstacle: "blocked",
};

const COLUMNS = {
  paths: (peer) => [node(peer), peer.role ?? "", peer.address ?? "", path(peer), peer.path ? duration(peer.path.ageSeconds) : "",
    traffic(peer, "sealed"), traffic(peer, "opened"), count(peer.endpoints)],
  networks: (network) => [{ text: network.id, className: "id" }, network.encrypted ? good("encrypted") : idle("not encrypted"),
    network.up ? "up" : idle("not used here"), network.pools.join(", "), count(network.here), count(network.elsewhere)],
  keys: (key) => [{ text: String(key.tag), className: "id" }, key.primary ? "sending and receiving" : "receiving",
    duration(key.knownSeconds)],
  services: (service) => [service.name, service.addresses.join(", "), service.tasks ? count(service.tasks) : bad("none"),
    count(service.draining), { text: service.network, className: "id" }],
  errors: (error) => [error.where, clock(error.at), count(error.times), error.error],
};

const rates = new Map();
let events = [];
let most = FEW_EVENTS;
let announced = null;
let heard = 0;
let failed = false;

// Values as operators say them.

function count(number) {
  return number.toLocaleString("en");
}

function counted(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit++;
  }
  return `${unit > 0 && number < 10 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) {
    return `${seconds} s`;
  }
  if (hours < 1) {
    return `${minutes} min`;
  }
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function clock(time) {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? "" : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} `;
  return day + date.toLocaleTimeString("en-GB");
}

// Cells: a text, or {text, className, small}. A sign and a word say what a colour says.

function good(text) {
  return { text: `✓ ${text}`, className: "good" };
}

function bad(text) {
  return { text: `▲ ${text}`, className: "bad" };
}

function idle(text) {
  return { text, className: "idle" };
}

function node(peer) {
  return { text: peer.id ?? "unknown", className: "id", small: peer.here ? "this node" : "" };
}

function path(peer) {
  if (peer.here) {
    return "";
  }
  if (peer.trouble.length > 0) {
    return bad(peer.trouble.map((kind) => PATH_TROUBLE[kind] ?? kind).join(", "));
  }
  return peer.path ? good("sealed") : idle("nothing to seal");
}

function traffic(peer, direction) {
  if (!peer.path) {
    return "";
  }
  const rate = rates.get(peer.address)?.[direction];
  return { text: rate === undefined ? "…" : `${bytes(rate)}/s`, small: `${bytes(peer.path[`${direction}Bytes`])} in all` };
}

/** Computes the traffic per second from what was counted since the last reading, of four seconds ago or more. */
function measure(state) {
  for (const peer of state.nodes.entries) {
    const now = peer.path;
    const before = rates.get(peer.address);
    if (!now || (before && now.sealedBytes < before.total.sealedBytes)) {
      rates.delete(peer.address);
    } else if (!before) {
      rates.set(peer.address, { time: state.time, total: now });
    } else if (state.time - before.time >= 4000) {
      const perSecond = (name) => Math.max(0, now[name] - before.total[name]) * 1000 / (state.time - before.time);
      rates.set(peer.address, { time: state.time, total: now, sealed: perSecond("sealedBytes"), opened: perSecond("openedBytes") });
    }
  }
}

// The document.

function byId(id) {
  return document.getElementById(id);
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function make(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className ?? "";
  return element;
}

/** Makes as many children as there are items, and keeps those that show the same as before, with what a reader has selected in them. */
function keep(parent, items, show) {
  while (parent.children.length > items.length) {
    parent.lastElementChild.remove();
  }
  items.forEach((item, index) => {
    const shown = JSON.stringify(item);
    const before = parent.children[index];
    if (before?.shown !== shown) {
      const element = show(item);
      element.shown = shown;
      before ? before.replaceWith(element) : parent.append(element);
    }
  });
}

function cell(value, header, first) {
  const element = document.createElement(first ? "th" : "td");
  const { text, className, small } = typeof value === "string" ? { text: value } : value;
  element.setAttribute("role", first ? "rowheader" : "cell");
  element.dataset.column = header.textContent;
  element.className = header.className;
  if (first) {
    element.scope = "row";
  }
  if (text) {
    const content = make("div", "");
    content.append(make("span", text, className));
    if (small) {
      content.append(make("small", small));
    }
    element.append(content);
  }
  return element;
}

function showTable(id, { total, entries }) {
  const section = byId(id);
  const table = section.querySelector("table");
  const headers = [...table.querySelectorAll("thead th")];
  table.hidden = entries.length === 0;
  keep(table.tBodies[0], entries.map(COLUMNS[id]), (cells) => {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    row.append(...cells.map((value, index) => cell(value, headers[index], index === 0)));
    return row;
  });
  const more = total > entries.length ? `${count(total - entries.length)} more are not shown.` : "";
  setText(section.querySelector("table ~ .note"), total === 0 ? "None." : more);
}

function showPairs(list, pairs) {
  keep(list, pairs, ([name, value]) => {
    const { text, className } = typeof value === "string" ? { text: value } : value;
    const pair = document.createElement("div");
    pair.append(make("dt", name), make("dd", text, className));
    return pair;
  });
}

function showLines(list, lines) {
  list.hidden = lines.length === 0;
  keep(list, lines, ([text, small]) => {
    const line = make("li", text);
    if (small) {
      line.append(" ", make("small", small, "quiet"));
    }
    return line;
  });
}

/** Says what began and what ended since the last state to those that cannot see it. */
function announce(conditions) {
  const now = conditions.map((condition) => condition.text);
  if (announced !== null) {
    const began = now.filter((text) => !announced.includes(text)).map((text) => `Trouble began: ${text}`);
    const ended = announced.filter((text) => !now.includes(text)).map((text) => `Trouble over: ${text}`);
    if (began.length + ended.length > 0) {
      byId("announcement").textContent = [...began, ...ended].join(". ");
    }
  }
  announced = now;
}

function showTrouble(state) {
  const lines = state.conditions.entries.map((each) => [each.text, `since ${clock(each.since)}, for ${duration(each.ageSeconds)}`]);
  if (state.problem) {
    lines.unshift([state.problem, ""]);
  }
  const total = state.conditions.total + (state.problem ? 1 : 0);
  const verdict = total === 0 ? good("No trouble on this node") : bad(`Trouble on this node: ${counted(total, "condition", "conditions")}`);
  setText(byId("verdict"), verdict.text);
  byId("verdict").className = `panel verdict ${verdict.className}`;
  showLines(byId("conditions"), lines);
  announce(state.conditions.entries);
  document.title = `${total === 0 ? "" : `▲ ${total} · `}vxseal ${state.node.id ?? ""}`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function total(direction) {
  const known = [...rates.values()].map((rate) => rate[direction]).filter((rate) => rate !== undefined);
  return known.length === 0 && rates.size > 0 ? "…" : `${bytes(sum(known))}/s`;
}

function nextRotation(ring) {
  if (ring.nextRotationSeconds === undefined) {
    return "when the engine does it";
  }
  return ring.nextRotationSeconds >= 0
    ? `in ${duration(ring.nextRotationSeconds)}` : `overdue for ${duration(-ring.nextRotationSeconds)}`;
}

function showSummary(state) {
  const { dropped } = state.kernel;
  const drops = dropped.incoming + dropped.outgoing;
  showPairs(byId("summary"), [
    ["Nodes", count(state.nodes.total)],
    ["Networks up here", `${count(state.networks.entries.filter((network) => network.up).length)} of ${count(state.networks.total)}`],
    ["Sent", total("sealed")],
    ["Received", total("opened")],
    ["Next key rotation", state.ring ? nextRotation(state.ring).replace(/^in /, "") : "no keys yet"],
    ["Dropped in clear", count(drops)],
    ["Repairs", count(sum(Object.values(state.repairs)))],
  ]);
}

function showRing(ring) {
  if (!ring) {
    setText(byId("ring"), "This node has no keys yet.");
  } else if (ring.fromEngine) {
    setText(byId("ring"), "The keys are the engine's, which rotates them.");
  } else {
    const made = ring.version > 0 ? `, made ${duration(ring.ageSeconds)} ago by node ${ring.author}` : "";
    setText(byId("ring"), `Ring ${count(ring.version)}${made}. Next rotation: ${nextRotation(ring)}.`);
  }
  showTable("keys", { total: ring?.keys.length ?? 0, entries: ring?.keys ?? [] });
}

function found(wanted, number) {
  if (number === undefined) {
    return "cannot be read";
  }
  return number === wanted ? good(`${count(number)}, as wanted`) : bad(`${count(number)}, wanted are ${count(wanted)}`);
}

function showFacts(state) {
  const { kernel, cluster, repairs } = state;
  const xfrm = Object.entries(kernel.xfrmErrors).map(([reason, packets]) => `${reason} ${count(packets)}`).join(", ");
  showPairs(byId("facts"), [
    ["Managers reached", cluster.hubs === 0 ? bad("none") : `${count(cluster.hubs)}, of which ${count(cluster.hubsUpToDate)} know all of this node`],
    ["Firewall", kernel.firewall ?? "no rules yet"],
    ["IPsec states", found(kernel.statesWanted, kernel.statesFound)],
    ["IPsec policies", found(kernel.policiesWanted, kernel.policiesFound)],
    ["Dropped in clear", `${count(kernel.dropped.incoming)} coming in, ${count(kernel.dropped.outgoing)} going out`],
    ["Dropped by XFRM", xfrm || "none"],
    ["Repairs", `${count(repairs.rules)} rules, ${count(repairs.statesAndPolicies)} states and policies, `
      + `${count(repairs.links)} links, ${count(repairs.entries)} entries`],
    ["Refused of others", counted(cluster.refused, "message", "messages")],
    ["Swarm", state.node.swarm ?? "none"],
  ]);
}

function showState(state) {
  heard = Date.now();
  failed = false;
  measure(state);
  setText(byId("node"), state.node.id ?? "without a swarm");
  setText(byId("about"), [state.node.address, `version ${state.version}`].filter(Boolean).join(" · "));
  setText(byId("as-of"), `as of ${clock(state.time)}`);
  showTrouble(state);
  showSummary(state);
  showTable("paths", state.nodes);
  showTable("networks", state.networks);
  showRing(state.ring);
  showTable("services", state.services);
  showLines(byId("without-services"), state.withoutServices.entries.map((line) => [line, ""]));
  showTable("errors", { total: state.errors.length, entries: state.errors });
  showFacts(state);
  showConnection();
}

function showEvents() {
  keep(byId("timeline"), events.slice(-most).reverse(), (event) => {
    const trouble = event.kind === "error" || event.kind === "condition_began";
    const kind = KINDS[event.kind] ?? event.kind;
    const label = trouble ? bad(kind) : event.kind === "condition_ended" ? good(kind) : { text: kind };
    const line = document.createElement("li");
    const time = make("time", clock(event.time));
    time.dateTime = event.time;
    line.append(time, make("span", label.text, label.className), make("span", event.text));
    return line;
  });
  byId("older").hidden = events.length <= most;
}

function showConnection() {
  const live = Date.now() - heard < STALE;
  document.body.classList.toggle("stale", !live && heard > 0);
  const lost = "▲ No connection to the node: it is down, or too many watch it. Trying again.";
  setText(byId("connection"), live ? "● Live" : heard > 0 || failed ? lost : "Connecting…");
}

function listen() {
  const source = new EventSource("live");
  source.addEventListener("state", (message) => showState(JSON.parse(message.data)));
  source.addEventListener("history", (message) => {
    events = JSON.parse(message.data);
    showEvents();
  });
  source.addEventListener("events", (message) => {
    events = [...events, ...JSON.parse(message.data)].slice(-MANY_EVENTS);
    showEvents();
  });
  source.addEventListener("error", () => {
    failed = true;
    // The browser tries again by itself after a lost connection, and not after a refusal.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(listen, RETRY);
    }
  });
}

/** Names the parts of tables, which lose their roles where the style makes cards of their rows. */
function nameTables() {
  for (const [selector, role] of Object.entries(
    { table: "table", "thead, tbody": "rowgroup", "thead tr": "row", "thead th": "columnheader" })) {
    document.querySelectorAll(selector).forEach((element) => element.setAttribute("role", role));
  }
}

nameTables();
byId("older").addEventListener("click", () => {
  most = MANY_EVENTS;
  showEvents();
});
setInterval(showConnection, 1000);
listen();
