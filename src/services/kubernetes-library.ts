/** The one door to the library: bundled with what this needs of it, loaded at the first call of the API. */
export { KubeConfig } from '@kubernetes/client-node';
