// The dashboard: navigation, and the page that the address names.

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { call, type Session } from "./api";
import { EditorPage } from "./EditorPage";
import { connect, useCluster } from "./live";
import { OverviewPage } from "./OverviewPage";
import { QueriesPage } from "./QueriesPage";
import { QueryPage } from "./QueryPage";
import { SchemaPage } from "./SchemaPage";
import { WorkerPage } from "./WorkerPage";

function useRoute(): { parts: string[]; parameters: URLSearchParams } {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const listener = () => setHash(location.hash);
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  const [path, search] = hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), parameters: new URLSearchParams(search ?? "") };
}

const pages = [
  { path: "", name: "Overview" }, { path: "queries", name: "Queries" }, { path: "sql", name: "SQL" }, { path: "schema", name: "Schema" },
];

function Page({ parts, parameters }: { parts: string[]; parameters: URLSearchParams }) {
  switch (parts[0] ?? "") {
    case "": return <OverviewPage />;
    case "workers": return <WorkerPage id={parts[1] ?? ""} key={parts[1]} />;
    case "queries": return parts[1] ? <QueryPage id={parts[1]} key={parts[1]} /> : <QueriesPage />;
    case "sql": return <EditorPage insertion={parameters.get("text")} key={parameters.get("text") ?? ""} />;
    case "schema": return <SchemaPage />;
    default: return <><h1>Nothing here</h1><p><a href="#/">Overview</a></p></>;
  }
}

function Application() {
  const route = useRoute();
  const cluster = useCluster();
  const [theme, setTheme] = useState(localStorage.getItem("martlet.theme") ?? "auto");
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem("martlet.theme", theme);
  }, [theme]);
  const [session, setSession] = useState<Session | null>(null);
  useEffect(() => {
    if (cluster.isConnected) call<Session>("/v1/session").then(setSession, () => setSession(null));
  }, [cluster.isConnected]);
  const here = route.parts[0] ?? "";
  useEffect(() => {
    const name = pages.find((page) => page.path === here)?.name ?? (here === "workers" ? "Worker" : "");
    document.title = name ? `${name} – Martlet` : "Martlet";
    scrollTo(0, 0);
  }, [here, route.parts[1]]);
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to content</a>
      <header className="bar">
        <a className="brand" href="#/"><img src="favicon.svg" alt="" width={26} height={26} />Martlet</a>
        <nav aria-label="Pages">
          {pages.map((page) => (
            <a key={page.path} href={`#/${page.path}`} aria-current={here === page.path || (here === "workers" && page.path === "") ? "page" : undefined}>{page.name}</a>
          ))}
        </nav>
        {session?.user && (
          <span className="user" title={session.administrator ? "An administrator: sees and cancels what others run" : "Sees only what runs under this name"}>
            <span className="visually-hidden">Signed in as </span>{session.user}
          </span>
        )}
        <span className={`connection ${cluster.isConnected ? "is-live" : ""}`} role="status">
          <i aria-hidden="true" />{cluster.isConnected ? "live" : "not connected"}
        </span>
        <label className="theme"><span className="visually-hidden">Colours</span>
          <select value={theme} onChange={(event) => setTheme(event.target.value)}>
            <option value="auto">Auto</option><option value="light">Light</option><option value="dark">Dark</option>
          </select>
        </label>
      </header>
      {!cluster.isConnected && cluster.hasData && <p className="lost" role="alert">The coordinator does not answer. What is shown is old.</p>}
      <main id="main" tabIndex={-1}><Page {...route} /></main>
      <footer>Martlet {cluster.version} · <a href="/v1/openapi.json">API</a> · <a href="/metrics">Metrics</a></footer>
    </>
  );
}

connect();
const root = document.getElementById("root");
if (root) createRoot(root).render(<Application />);
