// Statements typed, run, cancelled; their rows as a table, a chart or a file.

import { KeyboardEvent, useEffect, useRef, useState } from "react";
import { call, Column, Failure, failureOf, Outcome, post, RowPage, SchemaEntry, Value } from "./api";
import { BarChart, LineChart } from "./charts";
import { quoted, Suggestion, suggestions, wordAt } from "./completion";
import { count, duration, shortCount } from "./format";
import { Card, Empty, FailureBox } from "./parts";
import { isNumeric, ResultGrid, textOf } from "./ResultGrid";

const rowCountMax = 100_000;
const start = "SELECT n_name, count(*) AS customers, round(avg(c_acctbal), 2) AS balance\nFROM tiny.customer JOIN tiny.nation ON c_nationkey = n_nationkey\nGROUP BY n_name\nORDER BY customers DESC;";

interface Run {
  id: string | null; isRunning: boolean; columns: Column[]; rows: Value[][]; outcome: Outcome | null; failure: Failure | null;
  offset: number;
}
const nothing: Run = { id: null, isRunning: false, columns: [], rows: [], outcome: null, failure: null, offset: 0 };

/** Kept while other pages are looked at. */
const memory = { text: localStorage.getItem("martlet.sql") ?? start, run: nothing };

export function EditorPage({ insertion }: { insertion: string | null }) {
  const [text, setText] = useState(insertion ?? memory.text);
  const [run, setRun] = useState<Run>(memory.run);
  const [schema, setSchema] = useState<SchemaEntry[]>([]);
  const [view, setView] = useState<"table" | "chart">("table");
  const area = useRef<HTMLTextAreaElement>(null);
  const current = useRef<AbortController | null>(null);
  useEffect(() => { call<{ schemas: SchemaEntry[] }>("/v1/schema").then((body) => setSchema(body.schemas), () => undefined); }, []);
  useEffect(() => { memory.text = text; localStorage.setItem("martlet.sql", text); }, [text]);

  async function execute() {
    const element = area.current;
    const isPart = element && element.selectionStart !== element.selectionEnd;
    const offset = isPart ? element.selectionStart : 0;
    const sql = isPart ? text.slice(element.selectionStart, element.selectionEnd) : text;
    if (sql.trim() === "") return;
    current.current?.abort();
    const abort = new AbortController();
    current.current = abort;
    let state: Run = { ...nothing, isRunning: true, offset };
    const update = (change: Partial<Run>) => {
      state = { ...state, ...change };
      // A query goes on while another page is looked at; its rows are here on coming back.
      memory.run = state.isRunning ? nothing : state;
      if (!abort.signal.aborted) setRun(state);
    };
    update({});
    try {
      const job = await post<{ id: string }>("/v1/queries", { sql, max_rows: rowCountMax, numbers: "text" });
      update({ id: job.id });
      let page: number | null = 0;
      while (page !== null) {
        const answer: RowPage = await call(`/v1/queries/${job.id}/rows?page=${page}&wait_ms=10000`, { signal: abort.signal });
        update({
          columns: answer.columns ?? state.columns,
          rows: answer.rows.length > 0 ? state.rows.concat(answer.rows) : state.rows, outcome: answer.outcome ?? null,
          failure: answer.error ?? null,
        });
        page = answer.next_page;
      }
      update({ isRunning: false });
      await call(`/v1/queries/${job.id}`, { method: "DELETE" });
    } catch (error) {
      if (abort.signal.aborted) {
        if (state.id) await call(`/v1/queries/${state.id}`, { method: "DELETE" }).catch(() => undefined);
        return;
      }
      update({ isRunning: false, failure: failureOf(error) });
    }
  }

  function cancel() {
    // Who reads the rows sees it and ends the query.
    current.current?.abort();
    setRun({ ...run, isRunning: false, failure: { state: "57014", message: "the query was cancelled" } });
  }

  const position = run.failure?.position;
  return (
    <>
      <h1>SQL editor</h1>
      <Card>
        <SQLField text={text} onChange={setText} schema={schema} area={area} onRun={execute} />
        <div className="toolbar">
          {run.isRunning
            ? <button className="danger" onClick={cancel}>Cancel</button>
            : <button className="primary" onClick={execute}>Run</button>}
          <span className="muted hint">Ctrl+Enter runs the text, or what is selected. Ctrl+Space completes.</span>
          {run.id && <a href={`#/queries/${run.outcome?.query_id ?? run.id}`}>Plan and tasks</a>}
        </div>
      </Card>
      <div aria-live="polite" className="status-line">
        {run.isRunning && <span><i className="spinner" aria-hidden="true" /> Running… {run.rows.length > 0 && `${count(run.rows.length)} rows so far`}</span>}
        {run.outcome && (
          <span>{run.outcome.command || "Done"} in {duration(run.outcome.elapsed_us)}
            {run.outcome.is_truncated && `; only the first ${count(rowCountMax)} rows are shown`}</span>
        )}
      </div>
      {run.outcome?.notices.map((notice, index) => <p className="note" key={index}>{notice.message}</p>)}
      {run.failure && (
        <>
          <FailureBox failure={run.failure} />
          {position !== undefined && (
            <button onClick={() => {
              // Positions count characters; the field counts UTF-16.
              const before = [...text.slice(run.offset)].slice(0, position - 1).join("").length + run.offset;
              area.current?.focus();
              area.current?.setSelectionRange(before, before + (/^\w+/.exec(text.slice(before))?.[0].length ?? 1));
            }}>Show where</button>
          )}
        </>
      )}
      {run.columns.length > 0 && (
        <Card className="result-card">
          <div className="toolbar">
            <div className="segments" role="group" aria-label="View">
              <button aria-pressed={view === "table"} onClick={() => setView("table")}>Table</button>
              <button aria-pressed={view === "chart"} onClick={() => setView("chart")}>Chart</button>
            </div>
            <span className="muted">{count(run.rows.length)} rows</span>
            <span className="spacer" />
            <button disabled={run.isRunning} onClick={() => download("result.csv", "text/csv", csv(run))}>Export CSV</button>
            <button disabled={run.isRunning} onClick={() => download("result.json", "application/json", json(run))}>Export JSON</button>
          </div>
          {view === "table" ? <ResultGrid columns={run.columns} rows={run.rows} /> : <ResultChart columns={run.columns} rows={run.rows} />}
        </Card>
      )}
    </>
  );
}

function SQLField({ text, onChange, schema, area, onRun }: {
  text: string; onChange: (text: string) => void; schema: SchemaEntry[]; area: React.RefObject<HTMLTextAreaElement>; onRun: () => void;
}) {
  const [offers, setOffers] = useState<Suggestion[]>([]);
  const [chosen, setChosen] = useState(0);
  const [place, setPlace] = useState({ left: 0, top: 0 });
  const isWaiting = useRef(false);
  useEffect(() => {
    // Asked for before the schema had come.
    if (isWaiting.current && schema.length > 0 && area.current) suggest(text, area.current.selectionStart, true);
  }, [schema]); // eslint-disable-line

  function suggest(value: string, caret: number, isAsked = false) {
    isWaiting.current = isAsked && schema.length === 0;
    const { word, qualifier } = wordAt(value, caret);
    const next = isAsked || word.length >= 2 || qualifier !== null ? suggestions(value, caret, schema) : [];
    setOffers(next);
    setChosen(0);
    const element = area.current;
    if (!element || next.length === 0) return;
    const lines = value.slice(0, caret).split("\n");
    const style = getComputedStyle(element);
    const letter = parseFloat(style.fontSize) * 0.602;
    setPlace({
      left: Math.min(element.clientWidth - 230, 12 + (lines[lines.length - 1].length - word.length) * letter),
      top: 12 + lines.length * parseFloat(style.lineHeight) - element.scrollTop,
    });
  }

  function accept(offer: Suggestion) {
    const element = area.current;
    if (!element) return;
    const { start } = wordAt(text, element.selectionStart);
    const next = text.slice(0, start) + offer.text + text.slice(element.selectionStart);
    onChange(next);
    setOffers([]);
    requestAnimationFrame(() => {
      element.focus();
      element.setSelectionRange(start + offer.text.length, start + offer.text.length);
    });
  }

  function press(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      setOffers([]);
      onRun();
    } else if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      suggest(text, event.currentTarget.selectionStart, true);
    } else if (offers.length > 0) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        setChosen((chosen + (event.key === "ArrowDown" ? 1 : offers.length - 1)) % offers.length);
      } else if (event.key === "Enter" || event.key === "Tab") {
        event.preventDefault();
        accept(offers[chosen]);
      } else if (event.key === "Escape") {
        setOffers([]);
      }
    }
  }

  return (
    <div className="sql-field">
      <textarea ref={area} value={text} spellCheck={false} autoCapitalize="off" autoComplete="off" rows={9} aria-label="SQL"
        aria-autocomplete="list" aria-expanded={offers.length > 0} aria-controls="offers" role="combobox"
        aria-activedescendant={offers.length > 0 ? `offer-${chosen}` : undefined} aria-haspopup="listbox"
        onChange={(event) => { onChange(event.target.value); suggest(event.target.value, event.target.selectionStart); }}
        onKeyDown={press} onBlur={() => setTimeout(() => setOffers([]), 150)} onClick={() => setOffers([])} />
      <ul id="offers" role="listbox" aria-label="Completions" className="offers" style={place} hidden={offers.length === 0}>
        {offers.map((offer, index) => (
          <li key={offer.text} id={`offer-${index}`} role="option" aria-selected={index === chosen}
            onMouseDown={(event) => { event.preventDefault(); accept(offer); }}>
            {offer.text}<small>{offer.kind}</small>
          </li>
        ))}
      </ul>
    </div>
  );
}

const colors = ["var(--series-1)", "var(--series-2)", "var(--series-4)", "var(--series-3)"];

function ResultChart({ columns, rows }: { columns: Column[]; rows: Value[][] }) {
  const numeric = columns.map((column, index) => ({ column, index })).filter((one) => isNumeric(one.column));
  const [label, setLabel] = useState(Math.max(0, columns.findIndex((column) => !isNumeric(column))));
  const [chosen, setChosen] = useState<number[]>(numeric.filter((one) => one.index !== label).slice(0, 1).map((one) => one.index));
  const [kind, setKind] = useState<"bars" | "lines">(rows.length > 40 ? "lines" : "bars");
  if (numeric.length === 0) return <Empty>There is no column of numbers to draw.</Empty>;
  const shown = rows.slice(0, kind === "bars" ? 60 : 2000);
  const labels = shown.map((row) => textOf(row[label]));
  const series = chosen.filter((index) => index < columns.length).map((index, number) => ({
    name: columns[index].name, color: colors[number % colors.length],
    values: shown.map((row) => (row[index] === null || !isFinite(Number(row[index])) ? null : Number(row[index]))),
  }));
  const title = series.map((one) => one.name).join(", ") + ` by ${columns[label]?.name ?? ""}`;
  const format = (value: number) => (Math.abs(value) >= 10_000 ? shortCount(value) : String(Math.round(value * 100) / 100));
  return (
    <>
      <div className="toolbar">
        <label>Along <select value={label} onChange={(event) => setLabel(Number(event.target.value))}>
          {columns.map((column, index) => <option key={index} value={index}>{column.name}</option>)}
        </select></label>
        <label>Kind <select value={kind} onChange={(event) => setKind(event.target.value as "bars" | "lines")}>
          <option value="bars">Bars</option><option value="lines">Lines</option>
        </select></label>
        {numeric.map((one) => (
          <label key={one.index}><input type="checkbox" checked={chosen.includes(one.index)} onChange={(event) =>
            setChosen(event.target.checked ? [...chosen, one.index] : chosen.filter((index) => index !== one.index))} /> {one.column.name}</label>
        ))}
        {shown.length < rows.length && <span className="muted">the first {count(shown.length)} rows</span>}
      </div>
      {kind === "bars" ? <BarChart title={title} labels={labels} series={series} format={format} />
        : <LineChart title={title} labels={labels} series={series} format={format} height={260} />}
    </>
  );
}

function csv(run: Run): string {
  const field = (text: string) => (/[",\r\n]/.test(text) || text === "" ? `"${text.replace(/"/g, '""')}"` : text);
  const lines = [run.columns.map((column) => field(column.name)).join(",")];
  for (const row of run.rows) lines.push(row.map((value) => (value === null ? "" : field(textOf(value)))).join(","));
  return lines.join("\n") + "\n";
}

function json(run: Run): string { return JSON.stringify({ columns: run.columns, rows: run.rows }, null, 1); }

function download(name: string, type: string, content: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export { quoted };
