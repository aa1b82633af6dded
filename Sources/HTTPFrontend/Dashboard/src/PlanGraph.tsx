// A query's plan as a graph: operators with what they did, rows on the edges, stages as bands of colour.

import { useMemo } from "react";
import type { Operator, QueryDetail } from "./api";
import { bytes, count, duration, shortCount } from "./format";

const box = { width: 188, height: 68, gapX: 22, gapY: 46 };

interface Place { operator: Operator; column: number; depth: number }
interface Edge { from: Place; to: Place; isExchange: boolean }

/** Leaves stand side by side, every other operator over the middle of its inputs. */
function layout(query: QueryDetail): { places: Place[]; edges: Edge[]; columns: number; depth: number } {
  const byNode = new Map(query.operators.map((operator) => [operator.node, operator]));
  const rootOf = new Map(query.stages.map((stage) => [stage.stage, stage.root]));
  const places = new Map<number, Place>();
  const edges: Edge[] = [];
  let nextColumn = 0;
  let deepest = 0;
  function visit(node: number, depth: number): Place | null {
    const operator = byNode.get(node);
    if (!operator) return null;
    const known = places.get(node);
    if (known) return known;
    deepest = Math.max(deepest, depth);
    const place: Place = { operator, column: 0, depth };
    places.set(node, place);
    const source = operator.source_stage === null ? undefined : rootOf.get(operator.source_stage);
    const inputs = source === undefined ? operator.inputs : [source];
    const columns: number[] = [];
    for (const input of inputs) {
      const isNew = !places.has(input);
      const below = visit(input, depth + 1);
      if (!below) continue;
      if (isNew) columns.push(below.column);
      edges.push({ from: below, to: place, isExchange: source !== undefined });
    }
    place.column = columns.length === 0 ? nextColumn++ : (columns[0] + columns[columns.length - 1]) / 2;
    return place;
  }
  const first = rootOf.get(0) ?? query.operators[0]?.node;
  if (first !== undefined) visit(first, 0);
  return { places: [...places.values()], edges, columns: Math.max(1, nextColumn), depth: deepest + 1 };
}

export function PlanGraph({ query, selected, onSelect }: {
  query: QueryDetail; selected: number | null; onSelect: (node: number) => void;
}) {
  // The shape stays while the numbers change.
  const shape = query.operators.map((operator) => operator.node).join();
  const plan = useMemo(() => layout(query), [query.id, shape]); // eslint-disable-line
  const current = new Map(query.operators.map((operator) => [operator.node, operator]));
  const totalTime = Math.max(1, query.operators.reduce((sum, operator) => sum + operator.time_ns, 0));
  const width = plan.columns * (box.width + box.gapX) + box.gapX;
  const height = plan.depth * (box.height + box.gapY) + 8;
  const x = (place: Place) => box.gapX + place.column * (box.width + box.gapX);
  const y = (place: Place) => 4 + place.depth * (box.height + box.gapY);
  if (plan.places.length === 0) return null;
  return (
    <div className="plan scroll" tabIndex={0} role="group" aria-label="Plan of the query">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
        {plan.edges.map((edge) => {
          const operator = current.get(edge.from.operator.node) ?? edge.from.operator;
          const reader = current.get(edge.to.operator.node) ?? edge.to.operator;
          const [x1, y1] = [x(edge.from) + box.width / 2, y(edge.from)];
          const [x2, y2] = [x(edge.to) + box.width / 2, y(edge.to) + box.height];
          const weight = operator.has_run ? 1 + Math.log10(1 + operator.rows) * 0.9 : 1;
          return (
            <g key={`${edge.from.operator.node}-${edge.to.operator.node}`} className={edge.isExchange ? "edge exchange" : "edge"}>
              <path d={`M${x1} ${y1}C${x1} ${y1 - 24} ${x2} ${y2 + 24} ${x2} ${y2}`} strokeWidth={weight} />
              {operator.has_run && (
                <text x={(x1 + x2) / 2 + 8} y={(y1 + y2) / 2 + 4}>
                  {shortCount(operator.rows)}{operator.rows === 1 ? " row" : " rows"}
                  {edge.isExchange && reader.read_bytes > 0 ? `, ${bytes(reader.read_bytes)}` : ""}
                </text>
              )}
            </g>
          );
        })}
        {plan.places.map((place) => {
          const operator = current.get(place.operator.node) ?? place.operator;
          const share = operator.time_ns / totalTime;
          return (
            <g key={operator.node} role="button" tabIndex={0} transform={`translate(${x(place)} ${y(place)})`}
              className={`operator stage-${operator.stage % 6} ${selected === operator.node ? "is-selected" : ""}`}
              aria-pressed={selected === operator.node}
              aria-label={`${operator.description}, stage ${operator.stage}` + (operator.has_run
                ? `, ${count(operator.rows)} rows, ${duration(operator.time_ns / 1000)}` : ", not run")}
              onClick={() => onSelect(operator.node)}
              onKeyDown={(event) => {
                if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onSelect(operator.node); }
              }}>
              <rect className="body" width={box.width} height={box.height} rx={8} />
              <rect className="band" width={5} height={box.height} rx={2} />
              <text className="name" x={14} y={20}>{operator.name}<tspan className="where" dx={6}>stage {operator.stage}</tspan></text>
              <text className="detail" x={14} y={37}>{cut(operator.description.slice(operator.name.length).trim(), 28)}</text>
              <text className="figures" x={14} y={55}>
                {operator.has_run ? `${shortCount(operator.rows)} · ${duration(operator.time_ns / 1000)}` : "–"}
                {operator.memory_bytes > 0 ? ` · ${bytes(operator.memory_bytes)}` : ""}
                {operator.spilled_bytes > 0 ? " · spilled" : ""}
              </text>
              <rect className="share-back" x={5} y={box.height - 4} width={box.width - 5} height={4} />
              <rect className="share" x={5} y={box.height - 4} width={(box.width - 5) * share} height={4} />
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function cut(text: string, length: number): string { return text.length > length ? `${text.slice(0, length - 1)}…` : text; }
