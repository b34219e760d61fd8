'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const required = ['DATABASE_URL', 'REDIS_URL', 'APP_URL', 'PORT'];

/** Variables of the process win over those of the release's .env file. */
function loadEnvironment() {
  const file = path.join(root, '.env');
  if (fs.existsSync(file)) process.loadEnvFile(file);
  return process.env;
}

/** What is wrong with the environment, in words that never repeat a value. */
function problems(env) {
  const found = required.filter((name) => !env[name]).map((name) => `${name} is not set`);
  for (const [name, schemes] of [['DATABASE_URL', ['postgres:', 'postgresql:']], ['REDIS_URL', ['redis:', 'rediss:']], ['APP_URL', ['http:', 'https:']]]) {
    if (env[name] && !(URL.canParse(env[name]) && schemes.includes(new URL(env[name]).protocol))) {
      found.push(`${name} is no URL that begins with ${schemes.join(' or ')}`);
    }
  }
  if (env.PORT && !(Number(env.PORT) > 0 && Number(env.PORT) < 65536)) found.push('PORT is no port number');
  return found;
}

let settings;
function read() {
  if (!settings) {
    const env = loadEnvironment();
    const found = problems(env);
    if (found.length) throw new Error(`environment: ${found.join('; ')}`);
    settings = {
      databaseUrl: env.DATABASE_URL,
      redisUrl: env.REDIS_URL,
      appUrl: env.APP_URL,
      host: env.HOST || '127.0.0.1', // in a container the proxy is elsewhere
      port: Number(env.PORT),
    };
  }
  return settings;
}

function revision() {
  try {
    return fs.readFileSync(path.join(root, 'REVISION'), 'utf8').trim();
  } catch {
    return null;
  }
}

module.exports = { root, required, loadEnvironment, problems, read, version: require('../package.json').version, commit: revision() };
