/** Reading local files for steps and inputs. The journal has its own door. Relative paths start at the working directory. */
export interface FileReader {
  /** Bytes of a regular file; refuses more than `limit`. */
  read(path: string, limit: number): Promise<Uint8Array>;
  /** Undefined when it does not exist. */
  stat(path: string): Promise<
    | {
        readonly kind: 'file' | 'directory' | 'other';
        readonly mode: number;
        readonly uid: number;
        readonly size: number;
      }
    | undefined
  >;
}

export interface FileStore extends FileReader {
  /**
   * A new file, mode 0600, whole and durable (file and folder synced) before this returns; missing folders are made with 0700.
   * Refuses a path that exists in any form, and leaves nothing behind when it fails.
   */
  create(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
}
