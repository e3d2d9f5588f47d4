/** The package brings no types: what the tests use of it. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  interface Artifact {
    readonly isExpired: boolean;
    save(): Promise<string>;
  }

  interface ArtifactClass {
    new (members: object): Artifact;
    find(value: string): Promise<Artifact | undefined>;
  }

  interface Grant {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  }

  export default class Provider {
    constructor(issuer: string, configuration: object);
    callback(): RequestListener;
    readonly ClientCredentials: ArtifactClass;
    readonly AccessToken: ArtifactClass;
    readonly RefreshToken: ArtifactClass;
    readonly Client: { find(id: string): Promise<object | undefined> };
    readonly Grant: new (members: {
      accountId: string;
      clientId: string;
    }) => Grant;
  }
}
