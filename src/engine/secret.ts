/** A value that cannot be printed, serialised or interpolated. (Being completed.) */
export class Secret {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
