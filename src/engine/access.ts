/** Something the run needs to be allowed to do. */
export type Access =
  | {
      readonly system: 'kubernetes';
      readonly verb: string;
      readonly group: string;
      /** Plural, with a subresource if there is one: 'deployments', 'pods/log'. */
      readonly resource: string;
      /** Absent for cluster-scoped resources. */
      readonly namespace?: string;
      readonly name?: string;
    }
  | { readonly system: 'openbao'; readonly path: string; readonly capabilities: readonly string[] };
