'use strict';

/* migrate.js up | status | rollback | create NAME: each migration in one transaction, only one run at a time. */
const fs = require('node:fs');
const path = require('node:path');
const { Client } = require('pg');
const config = require('../src/config');

const LOCK = 4_815_162_342; // any number that nobody else takes as an advisory lock in this database
const directory = path.join(config.root, 'db', 'migrations');

function migrations() {
  const ups = fs.readdirSync(directory).filter((file) => file.endsWith('.up.sql')).sort();
  return ups.map((file) => {
    const name = file.slice(0, -'.up.sql'.length);
    return { name, up: path.join(directory, file), down: path.join(directory, `${name}.down.sql`) };
  });
}

async function applied(client) {
  await client.query('CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())');
  const { rows } = await client.query('SELECT name, applied_at FROM schema_migrations ORDER BY name');
  return new Map(rows.map((row) => [row.name, row.applied_at]));
}

async function inTransaction(client, file, record, name) {
  await client.query('BEGIN');
  try {
    await client.query(fs.readFileSync(file, 'utf8'));
    await client.query(record, [name]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`${path.basename(file)}: ${error.message}`, { cause: error });
  }
}

const commands = {
  async up(client) {
    const done = await applied(client);
    const pending = migrations().filter(({ name }) => !done.has(name));
    for (const { name, up } of pending) {
      await inTransaction(client, up, 'INSERT INTO schema_migrations (name) VALUES ($1)', name);
      console.log(`applied   ${name}`);
    }
    if (!pending.length) console.log('nothing to apply');
  },

  async status(client) {
    const done = await applied(client);
    const known = migrations();
    for (const { name } of known) console.log(done.has(name) ? `applied   ${name}  ${done.get(name).toISOString()}` : `pending   ${name}`);
    for (const name of done.keys()) if (!known.some((one) => one.name === name)) console.log(`unknown   ${name}  (applied by another release)`);
  },

  async rollback(client) {
    const last = [...(await applied(client)).keys()].pop();
    if (!last) return console.log('nothing to roll back');
    const migration = migrations().find(({ name }) => name === last);
    if (!migration) throw new Error(`${last} was applied by another release; roll back with that one`);
    await inTransaction(client, migration.down, 'DELETE FROM schema_migrations WHERE name = $1', last);
    console.log(`rolled back ${last}`);
  },
};

function create(title) {
  if (!/^[a-z][a-z0-9_]*$/.test(title ?? '')) throw new Error('create needs a name of small letters, digits and underscores');
  const name = `${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}_${title}`;
  for (const direction of ['up', 'down']) {
    const file = path.join(directory, `${name}.${direction}.sql`);
    fs.writeFileSync(file, `-- ${direction === 'up' ? 'Make' : 'Undo'} the change.\n`, { flag: 'wx' });
    console.log(`created   ${path.relative(config.root, file)}`);
  }
}

async function main([command, name]) {
  if (command === 'create') return create(name);
  if (!commands[command]) throw new Error('usage: migrate.js up | status | rollback | create NAME');
  const client = new Client({ connectionString: config.read().databaseUrl, application_name: 'gpt-agent migrate', connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query("SET lock_timeout = '10s'");
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await commands[command](client);
  } finally {
    await client.end();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`migrate: ${error.message}`);
  process.exitCode = 1;
});
