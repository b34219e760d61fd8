'use strict';

/** What the app says of itself, beyond that it answers: whether it is closed for maintenance. */
module.exports = async ({ database }) => {
  const { rows } = await database.query("SELECT value FROM settings WHERE name = 'maintenance'");
  return { status: 'ok', maintenance: rows[0]?.value === 'on' };
};
