import type { EngineCapabilities } from '../client.ts';

/** One step forward. There are no steps back; a step that was released is never changed. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** SQL that each engine understands, given its capabilities. */
  statements(capabilities: EngineCapabilities): readonly string[];
}
