// What a word under the caret may become: names of the schema, and words of SQL.

import type { SchemaEntry } from "./api";

export interface Suggestion { text: string; kind: string }

const words = (
  "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER CROSS LATERAL ON USING AS DISTINCT UNION ALL "
  + "EXCEPT INTERSECT WITH RECURSIVE VALUES INSERT INTO UPDATE SET DELETE CREATE TABLE VIEW DROP ALTER EXPLAIN ANALYZE CASE WHEN "
  + "THEN ELSE END AND OR NOT IN EXISTS BETWEEN LIKE ILIKE IS NULL TRUE FALSE ASC DESC NULLS FIRST LAST OVER PARTITION WINDOW "
  + "ROWS RANGE INTERVAL DATE TIMESTAMP CAST COUNT SUM AVG MIN MAX COALESCE EXTRACT GENERATE_SERIES"
).split(" ");

export function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replace(/"/g, '""')}"`;
}

/** The word before the caret, with the name it is qualified by. */
export function wordAt(text: string, caret: number): { start: number; word: string; qualifier: string | null } {
  const match = /(?:((?:"[^"]*"|[A-Za-z_][\w$]*))\.)?("?[\w$.]*)$/.exec(text.slice(0, caret));
  const word = match?.[2] ?? "";
  return { start: caret - word.length, word, qualifier: match?.[1]?.replace(/"/g, "") ?? null };
}

export function suggestions(text: string, caret: number, schema: SchemaEntry[]): Suggestion[] {
  const { word, qualifier } = wordAt(text, caret);
  const wanted = word.replace(/"/g, "").toLowerCase();
  const found: Suggestion[] = [];
  const seen = new Set<string>();
  function offer(name: string, kind: string, asText = quoted(name)) {
    if (found.length >= 12 || !name.toLowerCase().startsWith(wanted) || seen.has(asText) || asText === word) return;
    seen.add(asText);
    found.push({ text: asText, kind });
  }
  if (qualifier !== null) {
    const entry = schema.find((one) => one.name === qualifier);
    for (const table of entry?.tables ?? []) offer(table.name, table.kind);
    const tables = schema.flatMap((one) => one.tables);
    const alias = new RegExp(`([\\w.]+)\\s+(?:as\\s+)?${qualifier.replace(/\W/g, "\\$&")}\\b`, "i").exec(text)?.[1].split(".").pop();
    for (const table of tables) {
      if (table.name === qualifier || table.name === alias) for (const column of table.columns) offer(column.name, column.type);
    }
    return found;
  }
  if (wanted.length === 0) return [];
  const lower = text.toLowerCase();
  // Columns of tables that the statement names come first.
  for (const entry of schema) {
    for (const table of entry.tables) {
      if (lower.includes(table.name)) for (const column of table.columns) offer(column.name, column.type);
    }
  }
  for (const entry of schema) offer(entry.name, "schema");
  for (const entry of schema) for (const table of entry.tables) offer(table.name, `${table.kind} of ${entry.name}`);
  for (const one of words) offer(one, "", word === word.toLowerCase() && word !== "" ? one.toLowerCase() : one);
  return found;
}
