// Small parts that several pages use.

import { ReactNode } from "react";
import type { Failure } from "./api";

export function StateBadge({ state }: { state: string }) {
  return <span className={`badge badge-${state}`}><i aria-hidden="true" />{state}</span>;
}

export function Card({ title, children, actions, className }: {
  title?: string; children: ReactNode; actions?: ReactNode; className?: string;
}) {
  return (
    <section className={`card ${className ?? ""}`} aria-label={title}>
      {title && <header><h2>{title}</h2>{actions}</header>}
      {children}
    </section>
  );
}

export function Tile({ name, value, note, tone }: { name: string; value: string; note?: string; tone?: string }) {
  return (
    <div className={`tile ${tone ? `tone-${tone}` : ""}`}>
      <dt>{name}</dt>
      <dd>{value}{note && <small>{note}</small>}</dd>
    </div>
  );
}

export function Meter({ label, value, maximum, text }: { label: string; value: number; maximum: number; text: string }) {
  const share = maximum > 0 ? Math.max(0, Math.min(1, value / maximum)) : 0;
  return (
    <div className="meter-line">
      <div className={`meter ${share > 0.85 ? "meter-high" : ""}`} role="meter" aria-label={label} aria-valuemin={0}
        aria-valuemax={maximum} aria-valuenow={value} aria-valuetext={text}>
        <i style={{ width: `${share * 100}%` }} />
      </div>
      <span>{text}</span>
    </div>
  );
}

export function FailureBox({ failure }: { failure: Failure }) {
  return (
    <div className="failure" role="alert">
      <b>{failure.message}</b> <code>{failure.state}</code>
      {failure.detail && <p>{failure.detail}</p>}
      {failure.hint && <p>Hint: {failure.hint}</p>}
    </div>
  );
}

export function Empty({ children }: { children: ReactNode }) { return <p className="empty">{children}</p>; }
