'use strict';

/** What the app says of itself, beyond that it answers. */
module.exports = async () => ({ status: 'ok' });
