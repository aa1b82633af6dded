// Rows in a table of which only what can be seen is drawn.

import { useEffect, useMemo, useRef, useState } from "react";
import type { Column, Value } from "./api";

const rowHeight = 28;
const overscan = 8;

export function textOf(value: Value): string {
  return value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function isNumeric(column: Column): boolean {
  return /^(smallint|integer|bigint|numeric|real|double precision)/.test(column.type);
}

export function ResultGrid({ columns, rows }: { columns: Column[]; rows: Value[][] }) {
  const reference = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  useEffect(() => {
    const element = reference.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const hasSample = rows.length > 0;
  const widths = useMemo(() => columns.map((column, index) => {
    let length = Math.max(column.name.length, column.type.length * 0.85);
    for (const row of rows.slice(0, 60)) length = Math.max(length, textOf(row[index]).length);
    return Math.round(Math.min(360, Math.max(64, length * 8 + 24)));
  }), [columns, hasSample]); // eslint-disable-line
  const numbers = columns.map(isNumeric);
  const first = Math.max(0, Math.floor(top / rowHeight) - overscan);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + overscan);
  const template = `64px ${widths.map((width) => `${width}px`).join(" ")}`;
  return (
    <div className="results" ref={reference} tabIndex={0} role="grid" aria-label="Rows of the result" aria-rowcount={rows.length + 1}
      aria-colcount={columns.length} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <div style={{ height: (rows.length + 1.6) * rowHeight, width: 64 + widths.reduce((sum, width) => sum + width, 0) }} role="presentation">
        <div className="results-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
          <span role="columnheader" aria-label="Row number">#</span>
          {columns.map((column, index) => (
            <span key={index} role="columnheader" className={numbers[index] ? "number" : ""} title={`${column.name} ${column.type}`}>
              {column.name}<small>{column.type}</small>
            </span>
          ))}
        </div>
        <div style={{ transform: `translateY(${first * rowHeight}px)` }} role="presentation">
          {rows.slice(first, last).map((row, offset) => (
            <div key={first + offset} className="results-row" role="row" aria-rowindex={first + offset + 2} style={{ gridTemplateColumns: template }}>
              <span role="rowheader">{first + offset + 1}</span>
              {row.map((value, index) => (
                <span key={index} role="gridcell" className={value === null ? "null" : numbers[index] ? "number" : ""}
                  title={textOf(value)}>{value === null ? "NULL" : textOf(value)}</span>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
