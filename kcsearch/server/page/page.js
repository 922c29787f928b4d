// The page: one box, results as you type. Nothing is built from strings of HTML, so no text of a
// document can become markup.

import { VectorMap } from "./map.js";

const KOREAN = {
  placeholder: "무엇을 찾으세요?", modes: "검색 방법", hybrid: "함께", dense: "뜻", lexical: "낱말",
  documents: (n) => `문서 ${n.toLocaleString()}개`, found: (n, ms) => `${n}개 · ${ms} ms`,
  none: "찾은 것이 없습니다.", similar: (key) => `비슷한 문서: ${key}`, more: "비슷한 것",
  remove: "조건 지우기", filter: "이 값만 보기", failed: "서버가 답하지 않습니다.",
  token: "토큰", enter: "확인", percentile: "무작위 쌍보다 가까운 비율", line: (n) => `${n}번째 줄`,
  map: "지도", mapped: (shown, all, share) => `문서 ${all.toLocaleString()}개`
    + (shown < all ? ` 중 ${shown.toLocaleString()}개` : "") + `의 벡터를 두 축에 놓은 그림입니다. `
    + `두 축은 전체 차이의 ${share} %만 보여 주므로 대강의 모습입니다.`,
  keys: ["/", "검색창", "↑ ↓", "고르기", "Enter", "비슷한 것", "Esc", "돌아가기"],
};
const ENGLISH = {
  placeholder: "What are you looking for?", modes: "How to search", hybrid: "both", dense: "meaning",
  lexical: "words", documents: (n) => `${n.toLocaleString()} documents`,
  found: (n, ms) => `${n} · ${ms} ms`, none: "Nothing found.",
  similar: (key) => `Similar to ${key}`, more: "more like this", remove: "Remove this condition",
  filter: "Only this value", failed: "The server does not answer.", token: "Token", enter: "OK",
  percentile: "nearer than this share of random pairs", line: (n) => `line ${n}`,
  map: "map", mapped: (shown, all, share) => "The vectors of "
    + (shown < all ? `${shown.toLocaleString()} of ` : "") + `${all.toLocaleString()} documents on two `
    + `axes. They show ${share} % of all differences, so this is a rough picture.`,
  keys: ["/", "search", "↑ ↓", "choose", "Enter", "more like this", "Esc", "back"],
};
const words = navigator.language.startsWith("ko") ? KOREAN : ENGLISH;
const $ = (selector) => document.querySelector(selector);
const box = $("#query"), list = $("#hits"), state = $("#state");
const WAIT = 120; // ms after the last key

let filters = {}, similarTo = null, current = -1, running = null, timer = 0, asked = "";

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A search gives up the one before it; the map asks beside it.
function searchCall(path, body) {
  running?.abort();
  running = new AbortController();
  return call(path, body, running.signal);
}

async function call(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  const request = { headers, signal };
  if (body) Object.assign(request, { method: "POST", body: JSON.stringify(body) });
  const answer = await fetch(path, request);
  if (answer.status === 401) {
    await askForToken();
    return call(path, body, signal);
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error.message);
  return found;
}

function askForToken() {
  const dialog = $("#ask");
  dialog.showModal();
  return new Promise((done) => {
    dialog.onclose = () => {
      sessionStorage.setItem("token", $("#token").value.trim());
      done();
    };
  });
}

// While a syllable is being composed, a lone consonant or vowel at the end is no word yet.
const typed = () => box.value.trim().replace(/[ㄱ-ㅎㅏ-ㅣ]$/, (letter) =>
  box.value.trim().length > 1 ? "" : letter);

async function search() {
  const mode = $("input[name=mode]:checked").value, query = typed();
  const asking = JSON.stringify([query, mode, filters, similarTo]);
  if (asking === asked) return;
  asked = asking;
  remember(mode);
  showFilters();
  if (!query && similarTo === null) {
    running?.abort();
    list.replaceChildren();
    state.textContent = "";
    map.mark(null, []);
    return;
  }
  const started = performance.now();
  try {
    const found = similarTo === null
      ? await searchCall("/query", { query, mode, filters, top_k: 20 })
      : await searchCall("/similar", { key: similarTo, filters, top_k: 20 });
    show(found.answers[0].hits, Math.round(performance.now() - started), query);
  } catch (error) {
    if (error.name === "AbortError") return;
    asked = "";
    state.textContent = error instanceof TypeError ? words.failed : error.message;
  }
}

function show(hits, ms, query) {
  current = -1;
  list.replaceChildren(...hits.map((hit) => card(hit, query)));
  const title = similarTo === null ? "" : words.similar(similarTo) + " · ";
  state.textContent = title + (hits.length ? words.found(hits.length, ms) : words.none);
  window.scrollTo({ top: 0 });
  map.mark(similarTo === null ? { query } : { key: similarTo }, hits.map((hit) => hit.key));
}

function card(hit, query) {
  const share = hit.percentile ?? null;
  const facts = element("div", { className: "facts" });
  const bar = element("i");
  bar.style.width = `${Math.max(0, Math.min(1, hit.cosine)) * 100}%`;
  facts.append(element("span", { className: "bar" }, bar),
    element("span", { className: "number", title: "cosine" }, hit.cosine.toFixed(3)));
  if (share !== null) {
    facts.append(element("span", { className: "number", title: words.percentile }, `${share.toFixed(1)} %`));
  }
  const file = hit.source?.split("/").pop();
  facts.append(element("span", { title: `${hit.key}\n${hit.source ?? ""}` },
    hit.source === null ? hit.key : `${file} · ${words.line(hit.line)}`));
  for (const [name, value] of Object.entries(hit.metadata)) {
    if (!["string", "number", "boolean"].includes(typeof value)) continue;
    if (String(value).length > 40) continue;
    facts.append(element("button", {
      type: "button", className: "chip", title: words.filter,
      onclick: () => { filters = { ...filters, [name]: String(value) }; search(); },
    }, `${name}=${value}`));
  }
  facts.append(element("button", {
    type: "button", className: "more", onclick: () => like(hit.key),
  }, words.more));
  const made = element("li", {}, element("p", { className: "text" }, ...marked(hit, query)), facts);
  made.dataset.key = hit.key;
  return made;
}

// The text, with the tokens that it shares with the query marked.
function marked(hit, query) {
  const text = hit.text;
  const tokens = hit.matched.map((token) => token.replace(/\*$/, "")).filter(Boolean);
  if (!tokens.length && query && $("input[name=mode]:checked").value === "lexical") {
    tokens.push(...query.split(/\s+/).filter((word) => word.length > 1));
  }
  const lower = text.toLowerCase(), spans = [];
  for (const token of tokens) {
    for (let at = lower.indexOf(token); at >= 0; at = lower.indexOf(token, at + 1)) {
      spans.push([at, at + token.length]);
    }
  }
  if (lower.length !== text.length) return [text];
  spans.sort((a, b) => a[0] - b[0]);
  const parts = [];
  let done = 0;
  for (let i = 0; i < spans.length; i++) {
    let [from, to] = spans[i];
    while (i + 1 < spans.length && spans[i + 1][0] <= to) to = Math.max(to, spans[++i][1]);
    parts.push(text.slice(done, from), element("mark", {}, text.slice(from, to)));
    done = to;
  }
  return [...parts, text.slice(done)];
}

function showFilters() {
  $("#filters").replaceChildren(...Object.entries(filters).map(([name, value]) =>
    element("button", {
      type: "button", className: "chip", title: words.remove,
      onclick: () => {
        const { [name]: gone, ...rest } = filters;
        filters = rest;
        search();
        box.focus();
      },
    }, `${name}=${value} ×`)));
}

function like(key) {
  similarTo = key;
  search();
}

function choose(position) {
  const cards = [...list.children];
  current = Math.max(-1, Math.min(cards.length - 1, position));
  cards.forEach((made, i) => made.setAttribute("aria-current", String(i === current)));
  if (current >= 0) cards[current].scrollIntoView({ block: "nearest" });
  map.choose(current);
}

function remember(mode) {
  const hash = new URLSearchParams();
  if (box.value) hash.set("q", box.value);
  if (mode !== "hybrid") hash.set("mode", mode);
  for (const [name, value] of Object.entries(filters)) hash.set(`f.${name}`, value);
  if (similarTo !== null) hash.set("like", similarTo);
  history.replaceState(null, "", "#" + hash);
}

function recall() {
  const hash = new URLSearchParams(location.hash.slice(1));
  box.value = hash.get("q") ?? "";
  const mode = $(`input[name=mode][value="${CSS.escape(hash.get("mode") ?? "hybrid")}"]`);
  if (mode) mode.checked = true;
  filters = Object.fromEntries([...hash].filter(([name]) => name.startsWith("f."))
    .map(([name, value]) => [name.slice(2), value]));
  similarTo = hash.get("like");
  search();
}

box.addEventListener("input", () => {
  similarTo = null;
  clearTimeout(timer);
  timer = setTimeout(search, WAIT);
});
$("#search").addEventListener("submit", (event) => event.preventDefault());
$("fieldset").addEventListener("change", search);
window.addEventListener("hashchange", recall);
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return; // keys of the input method
  if (event.target.closest?.("dialog, fieldset")) return;
  if (event.key === "/" && event.target !== box) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(current + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter" && event.target.tagName !== "BUTTON") {
    event.preventDefault();
    if (current >= 0) like(list.children[current].dataset.key);
    else { clearTimeout(timer); search(); }
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (similarTo !== null) similarTo = null;
    else if (Object.keys(filters).length) filters = {};
    else box.value = "";
    box.focus();
    search();
  }
});

const map = new VectorMap($("#map"), { call, words, choose: like });
document.documentElement.lang = words === KOREAN ? "ko" : "en";
box.placeholder = words.placeholder;
box.setAttribute("aria-label", words.placeholder);
$("legend").textContent = words.modes;
for (const span of document.querySelectorAll("fieldset span")) {
  span.textContent = words[span.previousElementSibling.value];
}
$("#ask span").textContent = words.token;
$("#ask button").textContent = words.enter;
words.keys.forEach((word, i) => $("#keys").append(i % 2 ? ` ${word}   ` : element("kbd", {}, word)));
call("/status").then((facts) => {
  document.title = `${facts.name} · kcsearch`;
  $("#collection").textContent = `${facts.name} · ${words.documents(facts.n_documents)}`;
}).catch(() => { state.textContent = words.failed; }).finally(recall);
