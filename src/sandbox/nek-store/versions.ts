/** Keyspaces of the services, and the number of the last migration of each. */
export const VERSIONS: Readonly<Record<string, number>> = {
  api_keys_api: 9,
  ess_api: 23,
  event_ledger: 4,
  nvcf_api: 41,
  nvcf_autoscaler: 5,
  nvct_api: 18,
  sis_api: 37,
};
