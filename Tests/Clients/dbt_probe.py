"""dbt: seeds, models as tables, views and incrementally, snapshots, tests, documentation."""

import os
import shutil
import subprocess
import sys
import tempfile

from probe import Probe, skip

dbt = os.path.join(os.path.dirname(sys.executable), "dbt")
if not os.path.exists(dbt) and not shutil.which("dbt"):
    skip("dbt", "it is not installed")
probe = Probe("dbt")
dbt = dbt if os.path.exists(dbt) else "dbt"

FILES = {
    "dbt_project.yml": """
name: probe
version: '1.0'
profile: probe
model-paths: [models]
seed-paths: [seeds]
snapshot-paths: [snapshots]
flags: {send_anonymous_usage_stats: false}
""",
    "profiles.yml": f"""
probe:
  target: it
  outputs:
    it: {{type: postgres, host: {probe.host}, port: {probe.port}, user: {probe.user}, password: x, dbname: {probe.database}, schema: probe_dbt, threads: 2}}
""",
    "seeds/people.csv": "id,name,score\n1,Ada,10\n2,Brook,20\n3,Chen,\n",
    "models/scored.sql": "{{ config(materialized='table') }} select id, name, score from {{ ref('people') }} where score is not null",
    "models/names.sql": "{{ config(materialized='view') }} select name from {{ ref('scored') }}",
    "models/growing.sql": """{{ config(materialized='incremental', unique_key='id') }}
select id, name, score from {{ ref('people') }}
{% if is_incremental() %} where id > 1 {% endif %}""",
    "models/schema.yml": """
version: 2
models:
  - name: scored
    columns:
      - {name: id, data_tests: [unique, not_null]}
""",
    "snapshots/history.sql": """{% snapshot history %}
{{ config(target_schema='probe_dbt', unique_key='id', strategy='check', check_cols=['score']) }}
select id, score from {{ ref('people') }}
{% endsnapshot %}""",
}

with tempfile.TemporaryDirectory() as directory:
    for name, text in FILES.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    for command in ["debug", "seed", "run", "run", "test", "snapshot", "snapshot", "docs generate"]:
        with probe.part(command):
            result = subprocess.run(
                [dbt, "--no-use-colors", *command.split(), "--profiles-dir", directory, "--project-dir", directory],
                capture_output=True, text=True, timeout=180, env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})
            lines = [line for line in result.stdout.splitlines() if "rror" in line]
            probe.equal(command, (result.returncode, " | ".join(lines[:3]) if result.returncode else ""), (0, ""))
probe.end()
