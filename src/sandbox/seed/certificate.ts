import { kinds } from '../../services/kubernetes.ts';
import { derivedHex } from '../crypto/derive.ts';
import { timestamp } from '../objects.ts';
import type { World } from '../world.ts';

/** For stargate.nvcf.svc, signed by itself, from December 2025 to March 2027: longer than any simulated year. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFzdGFyZ2F0
ZS5udmNmLnN2YzAeFw0yNTEyMDEwMDAwMDBaFw0yNzAzMDEwMDAwMDBaMBwxGjAY
BgNVBAMMEXN0YXJnYXRlLm52Y2Yuc3ZjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAEZeZibu0Q85nCQJGi9G66bZduUgIxWi09mFkU+ILWikjM93B3w9WkwMMbd52B
pDPW7T8VD043oAsac1BBMkZtkqNMMEowKQYDVR0RBCIwIIIRc3RhcmdhdGUubnZj
Zi5zdmOCC2xsbS5leGFtcGxlMB0GA1UdDgQWBBRKUUlpb84X7G/09KC7N0qyUnzu
KjAKBggqhkjOPQQDAgNIADBFAiEA4NMlK71varXS7DRvON5yzjr8OhG+dXDi/uLF
4cIZcSECIBIZw/+2R8ySkg8epG70zmORJuDjGvqHxq/ZhUZWRvNr
-----END CERTIFICATE-----
`;

/** The certificate of the optional request router. Its key opens nothing: it is a text. */
export function seedCertificate(world: World): void {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const id = derivedHex(world.seed, 32, 'certificate');
  const uid = `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20)}`;
  world.store.put(kinds.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: {
      name: 'stargate-quic-tls',
      namespace: 'nvcf',
      uid,
      resourceVersion: '',
      creationTimestamp: timestamp(world.timeline.now),
      labels: { 'controller.cert-manager.io/fao': 'true' },
    },
    data: { 'tls.crt': base64(CERTIFICATE), 'tls.key': base64('a simulated private key') },
  });
}
