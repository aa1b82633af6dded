// Charts drawn as SVG.

import { useEffect, useId, useRef, useState } from "react";

export interface Series { name: string; color: string; values: (number | null)[] }

/** The width of an element, as it changes. */
export function useWidth<T extends Element>(initial: number) {
  const reference = useRef<T>(null);
  const [width, setWidth] = useState(initial);
  useEffect(() => {
    const element = reference.current;
    if (!element) return;
    const observer = new ResizeObserver((entries) => setWidth(Math.max(80, entries[0].contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [reference, width] as const;
}

/** The next round number above. */
function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5, 10]) if (value <= step * power) return step * power;
  return 10 * power;
}

/** The same for bytes, whose units are powers of two. */
function binaryCeiling(value: number): number {
  return value <= 1 ? 1 : 2 ** Math.ceil(Math.log2(value));
}

function path(values: (number | null)[], x: (index: number) => number, y: (value: number) => number): string {
  let result = "";
  let isOpen = false;
  values.forEach((value, index) => {
    if (value === null) { isOpen = false; return; }
    result += `${isOpen ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    // A value without neighbours would have no line: it gets a dot.
    if (!isOpen && (values[index + 1] ?? null) === null) result += "h0.1";
    isOpen = true;
  });
  return result;
}

interface LineChartProps {
  title: string; labels: string[]; series: Series[]; format: (value: number) => string; height?: number;
  /** The chart reaches at least so high. */
  least?: number; isFilled?: boolean;
  /** Steps of ten have the same height: for values of very different sizes. */
  isLogarithmic?: boolean;
  /** The values are bytes: the scale has round numbers of their units. */
  isBytes?: boolean;
}

export function LineChart({ title, labels, series, format, height = 150, least = 0, isFilled = false, isLogarithmic = false, isBytes = false }: LineChartProps) {
  const [reference, width] = useWidth<HTMLDivElement>(480);
  const [hover, setHover] = useState<number | null>(null);
  const id = useId();
  const size = labels.length;
  const margin = { left: 58, right: 8, top: 8, bottom: 20 };
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  let top = least;
  for (const one of series) for (const value of one.values) if (value !== null && value > top) top = value;
  let bottom = top;
  if (isLogarithmic) {
    for (const one of series) for (const value of one.values) if (value !== null && value > 0 && value < bottom) bottom = value;
  }
  const low = isLogarithmic ? Math.floor(Math.log10(Math.max(1e-9, bottom))) : 0;
  const high = isLogarithmic ? Math.max(low + 1, Math.ceil(Math.log10(Math.max(1e-9, top)))) : 1;
  const maximum = isLogarithmic ? 10 ** high : isBytes ? binaryCeiling(top) : ceiling(top);
  const ticks = isLogarithmic
    ? Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step)).filter((_, step) => step % Math.ceil((high - low) / 4) === 0)
    : [0, maximum / 2, maximum];
  const share = (value: number) =>
    isLogarithmic ? (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) : value / maximum;
  const x = (index: number) => margin.left + (size < 2 ? inner.width : (index / (size - 1)) * inner.width);
  const y = (value: number) => margin.top + inner.height - share(value) * inner.height;
  const last = series.map((one) => {
    const value = one.values[one.values.length - 1];
    return `${one.name} ${value === null || value === undefined ? "none" : format(value)}`;
  });
  const shown = hover !== null && hover < size ? hover : null;
  return (
    <figure className="chart" ref={reference}>
      <figcaption>
        <span className="chart-title">{title}</span>
        <span className="legend">
          {series.map((one) => {
            const value = one.values[shown ?? size - 1];
            return (
              <span key={one.name}>
                <i style={{ background: one.color }} />{one.name}{" "}
                <b>{value === null || value === undefined ? "–" : format(value)}</b>
              </span>
            );
          })}
        </span>
      </figcaption>
      <svg width={width} height={height} role="img" aria-labelledby={id}
        onMouseMove={(event) => {
          const left = event.clientX - event.currentTarget.getBoundingClientRect().left - margin.left;
          setHover(Math.max(0, Math.min(size - 1, Math.round((left / inner.width) * (size - 1)))));
        }}
        onMouseLeave={() => setHover(null)}>
        <title id={id}>{`${title}. Now: ${last.join(", ")}`}</title>
        {ticks.map((tick) => (
          <g key={tick}>
            <line className="grid" x1={margin.left} x2={width - margin.right} y1={y(tick)} y2={y(tick)} />
            <text className="tick" x={margin.left - 6} y={y(tick) + 4} textAnchor="end">{format(tick)}</text>
          </g>
        ))}
        {size > 1 && (
          <>
            <text className="tick" x={margin.left} y={height - 4}>{labels[0]}</text>
            <text className="tick" x={width - margin.right} y={height - 4} textAnchor="end">{labels[size - 1]}</text>
          </>
        )}
        {series.map((one) => {
          const line = path(one.values, x, y);
          return (
            <g key={one.name}>
              {isFilled && line && (
                <path d={`${line}L${x(size - 1)} ${y(0)}L${x(one.values.findIndex((value) => value !== null))} ${y(0)}Z`}
                  fill={one.color} opacity={0.13} />
              )}
              <path d={line} fill="none" stroke={one.color} strokeWidth={1.75} strokeLinejoin="round" strokeLinecap="round" />
            </g>
          );
        })}
        {shown !== null && (
          <g>
            <line className="cursor" x1={x(shown)} x2={x(shown)} y1={margin.top} y2={margin.top + inner.height} />
            <text className="tick" x={Math.min(x(shown), width - 60)} y={height - 4} textAnchor="middle">
              {shown > 0 && shown < size - 1 ? labels[shown] : ""}
            </text>
          </g>
        )}
      </svg>
    </figure>
  );
}

export function BarChart({ title, labels, series, format, height = 240 }: LineChartProps) {
  const [reference, width] = useWidth<HTMLDivElement>(480);
  const id = useId();
  const margin = { left: 64, right: 8, top: 8, bottom: 28 };
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  let top = 0;
  let bottom = 0;
  for (const one of series) {
    for (const value of one.values) {
      if (value !== null && value > top) top = value;
      if (value !== null && value < bottom) bottom = value;
    }
  }
  const maximum = top > 0 ? ceiling(top) : 0;
  const minimum = bottom < 0 ? -ceiling(-bottom) : 0;
  const y = (value: number) => margin.top + inner.height * (1 - (value - minimum) / (maximum - minimum || 1));
  const band = inner.width / Math.max(1, labels.length);
  const bar = (band * 0.8) / Math.max(1, series.length);
  const every = Math.max(1, Math.ceil(80 / band));
  return (
    <figure className="chart" ref={reference}>
      <figcaption>
        <span className="chart-title">{title}</span>
        <span className="legend">
          {series.map((one) => <span key={one.name}><i style={{ background: one.color }} />{one.name}</span>)}
        </span>
      </figcaption>
      <svg width={width} height={height} role="img" aria-labelledby={id}>
        <title id={id}>{`${title}: ${labels.length} bars`}</title>
        {[minimum, (minimum + maximum) / 2, maximum].map((value) => (
          <g key={value}>
            <line className="grid" x1={margin.left} x2={width - margin.right} y1={y(value)} y2={y(value)} />
            <text className="tick" x={margin.left - 6} y={y(value) + 4} textAnchor="end">{format(value)}</text>
          </g>
        ))}
        {labels.map((label, index) => (
          <g key={index}>
            {series.map((one, number) => {
              const value = one.values[index];
              if (value === null || value === undefined) return null;
              return (
                <rect key={one.name} x={margin.left + band * index + band * 0.1 + bar * number} width={Math.max(1, bar - 1)}
                  y={Math.min(y(0), y(value))} height={Math.max(0.5, Math.abs(y(value) - y(0)))} fill={one.color} rx={2}>
                  <title>{`${label}: ${one.name} ${format(value)}`}</title>
                </rect>
              );
            })}
            {index % every === 0 && (
              <text className="tick" x={margin.left + band * (index + 0.5)} y={height - 8} textAnchor="middle">
                {label.length > 12 ? `${label.slice(0, 11)}…` : label}
              </text>
            )}
          </g>
        ))}
      </svg>
    </figure>
  );
}
