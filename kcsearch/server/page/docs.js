// The operations of /openapi.json, each with the schema of its request and of its answer.

const element = (tag, ...children) => {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
};
const api = await (await fetch("/openapi.json")).json();

function resolved(schema) {
  if (Array.isArray(schema)) return schema.map(resolved);
  if (schema === null || typeof schema !== "object") return schema;
  if (schema.$ref) return resolved(schema.$ref.split("/").slice(1).reduce((at, name) => at[name], api));
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== "title")
    .map(([name, value]) => [name, resolved(value)]));
}

for (const [path, operations] of Object.entries(api.paths)) {
  for (const [verb, operation] of Object.entries(operations)) {
    const section = element("section", element("h2", `${verb.toUpperCase()} ${path}`),
      element("p", operation.summary ?? ""));
    const parts = { request: operation.requestBody, answer: operation.responses["200"] };
    for (const [name, part] of Object.entries(parts)) {
      const schema = part?.content?.["application/json"]?.schema;
      if (!schema) continue;
      section.append(element("details", element("summary", name),
        element("pre", JSON.stringify(resolved(schema), null, 2))));
    }
    document.querySelector("#operations").append(section);
  }
}
