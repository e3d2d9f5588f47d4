/**
 * Short texts on which all nodes of one store must agree, such as what tells one master key from another. Never a secret: what is kept of
 * one is a keyed digest.
 */
export interface InstanceMarksPort {
  find(name: string): Promise<string | undefined>;
  /** Writes the mark when it is not there. Returns what stands: of nodes that begin at once all get the same. */
  keep(name: string, value: string): Promise<string>;
  /** Changes it while it reads `from`. False: it reads otherwise, or is not there. */
  replace(name: string, from: string, to: string): Promise<boolean>;
}
