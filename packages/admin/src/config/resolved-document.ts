import type { Agent, ConfigDocument, Integration, NotificationEndpoint, Risk, Template } from '@postern/schemas';

export interface ResolvedSecret {
  readonly value: string;
  readonly environments?: readonly string[];
}

/** An agent of the document with its key in clear, where it has one. */
export interface ResolvedAgent {
  readonly agent: Agent;
  readonly key?: string;
}

/** A document in which no value is a reference any more. It holds secrets: it is never logged, answered or stored. */
export interface ResolvedDocument {
  readonly tenant: string;
  readonly globalRules?: NonNullable<ConfigDocument['rules']>;
  readonly risk?: Risk;
  readonly secrets?: ReadonlyMap<string, ResolvedSecret>;
  readonly templates?: readonly Template[];
  readonly integrations?: readonly Integration[];
  readonly agents?: readonly ResolvedAgent[];
  readonly rules?: NonNullable<ConfigDocument['rules']>;
  readonly notifications?: readonly NotificationEndpoint[];
}
