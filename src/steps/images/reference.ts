/** The tag of an image's name: 'nvcf/openbao:2.5.5' → '2.5.5'; 'latest' when none is written; empty when only a digest is. */
export function tagOf(image: string): string {
  const [name = '', digest] = image.split('@');
  const last = name.slice(name.lastIndexOf('/') + 1);
  const colon = last.indexOf(':');
  if (colon >= 0) return last.slice(colon + 1);
  return digest === undefined ? 'latest' : '';
}

/** What runs, from `imageID`: 'docker.io/nvcf/api@sha256:ab…' → 'sha256:ab…'. Some runtimes give the digest alone, or a name. */
export function digestOf(imageId: string): string {
  return imageId.slice(imageId.lastIndexOf('@') + 1).replace(/^docker-pullable:\/\//, '');
}
