/** Reading local files for steps and inputs. The journal has its own door. */
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
