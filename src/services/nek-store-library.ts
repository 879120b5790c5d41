/** The one door to the driver: bundled with what this needs of it, loaded when a session is opened. */
export { auth, Client, errors, policies, types } from 'cassandra-driver';
