CREATE TABLE agents (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  model text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO agents (name, model)
SELECT 'agent-' || n, (ARRAY['small', 'medium', 'large'])[n % 3 + 1] FROM generate_series(1, 25) AS n;
