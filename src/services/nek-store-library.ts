/** The one door to the driver: bundled with what this needs of it, loaded when a session is opened. */
export { auth, Client, errors, policies, types } from 'cassandra-driver';

/** How long a node may take for one statement, milliseconds; it gives up by itself after 2 s (write) or 5 s (read). */
export const statementLimit = 20_000;
