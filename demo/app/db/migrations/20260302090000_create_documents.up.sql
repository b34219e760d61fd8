CREATE TABLE documents (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent_id bigint NOT NULL REFERENCES agents ON DELETE CASCADE,
  title text NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX documents_agent_id ON documents (agent_id);

INSERT INTO documents (agent_id, title, body)
SELECT agents.id, 'Document ' || n || ' of ' || agents.name, repeat('Text of the document. ', 10)
FROM agents CROSS JOIN generate_series(1, 20) AS n;
