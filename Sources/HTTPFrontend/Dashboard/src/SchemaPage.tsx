// Schemas, tables and their columns.

import { useEffect, useState } from "react";
import { call, Failure, failureOf, SchemaEntry, TableEntry } from "./api";
import { quoted } from "./completion";
import { count } from "./format";
import { Card, Empty, FailureBox } from "./parts";

export function SchemaPage() {
  const [schemas, setSchemas] = useState<SchemaEntry[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [search, setSearch] = useState("");
  const [system, setSystem] = useState(false);
  const [selected, setSelected] = useState<{ schema: string; table: string } | null>(null);
  useEffect(() => {
    call<{ schemas: SchemaEntry[] }>(`/v1/schema${system ? "?system=true" : ""}`).then(
      (body) => setSchemas(body.schemas), (error) => setFailure(failureOf(error)));
  }, [system]);
  const words = search.toLowerCase();
  const shown = (schemas ?? []).map((schema) => ({
    ...schema, tables: schema.tables.filter((table) =>
      !words || table.name.includes(words) || schema.name.includes(words) || table.columns.some((column) => column.name.includes(words))),
  })).filter((schema) => schema.tables.length > 0);
  const table = schemas?.find((schema) => schema.name === selected?.schema)?.tables.find((one) => one.name === selected?.table);
  return (
    <>
      <h1>Schema</h1>
      <div className="toolbar">
        <input type="search" placeholder="Search tables and columns" aria-label="Search tables and columns" value={search}
          onChange={(event) => setSearch(event.target.value)} />
        <label><input type="checkbox" checked={system} onChange={(event) => setSystem(event.target.checked)} /> System catalogues</label>
      </div>
      {failure && <FailureBox failure={failure} />}
      <div className="schema-columns">
        <Card className="tree">
          {shown.length === 0 && <Empty>{schemas ? "No table is like that." : "Loading…"}</Empty>}
          {shown.map((schema, index) => (
            <details key={schema.name} open={words !== "" || index === 0 || schema.name === selected?.schema}>
              <summary>{schema.name} <small>{schema.tables.length}</small></summary>
              <ul>
                {schema.tables.map((one) => (
                  <li key={one.name}>
                    <button className="link" aria-pressed={selected?.schema === schema.name && selected.table === one.name}
                      onClick={() => setSelected({ schema: schema.name, table: one.name })}>{one.name}</button>
                    {one.kind !== "table" && <small>{one.kind}</small>}
                  </li>
                ))}
              </ul>
            </details>
          ))}
        </Card>
        {table && selected ? <TableCard schema={selected.schema} table={table} /> : <Card><Empty>Choose a table to see its columns.</Empty></Card>}
      </div>
    </>
  );
}

function TableCard({ schema, table }: { schema: string; table: TableEntry }) {
  const name = `${quoted(schema)}.${quoted(table.name)}`;
  return (
    <Card title={`${schema}.${table.name}`} actions={
      <a href={`#/sql?text=${encodeURIComponent(`SELECT *\nFROM ${name}\nLIMIT 100;`)}`}>Query this {table.kind}</a>}>
      <p className="muted">{table.kind}{table.estimated_rows !== null && `, about ${count(table.estimated_rows)} rows`}</p>
      <div className="scroll" tabIndex={0} role="region" aria-label="Columns, table">
        <table>
          <thead><tr><th>Column</th><th>Type</th><th>NULL</th></tr></thead>
          <tbody>{table.columns.map((column) => (
            <tr key={column.name}><td><code>{column.name}</code>{column.comment && <div className="muted">{column.comment}</div>}</td>
              <td>{column.type}</td><td>{column.nullable ? "yes" : "no"}</td></tr>
          ))}</tbody>
        </table>
      </div>
    </Card>
  );
}
