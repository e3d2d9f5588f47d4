import type { AppliedCredential, ClientCertificate, CompiledCredential, Signer } from '@postern/credentials';
import type { PinnedTarget } from '@postern/proxy-runtime';

/** What a credential makes of its opened secret for all calls. Holds the secret: it lives as long as that and no longer. */
export type OpenedCredential = OpenedStatic | OpenedSigner | OpenedCertificate;

interface OpenedStatic {
  readonly shape: 'static';
  readonly applied: AppliedCredential;
}

interface OpenedSigner {
  readonly shape: 'signing';
  readonly signer: Signer;
}

interface OpenedCertificate {
  readonly shape: 'tls';
  readonly certificate: ClientCertificate;
  /** Connections are found faster under the same target object. */
  readonly targets: WeakMap<PinnedTarget, PinnedTarget>;
}

/** All but those whose secret never goes into a call. */
export type OpenableCredential = Exclude<CompiledCredential, { shape: 'minting' }>;

/** @throws Rejection `credential_unavailable` when the secret is not one for this credential. */
export function openCredential(credential: OpenableCredential, secretText: string): OpenedCredential {
  switch (credential.shape) {
    case 'static':
      return { shape: 'static', applied: credential.apply(secretText) };
    case 'signing':
      return { shape: 'signing', signer: credential.openSigner(secretText) };
    case 'tls':
      return { shape: 'tls', certificate: credential.openCertificate(secretText), targets: new WeakMap() };
  }
}

/** The judged target with the certificate in its TLS identity: connections are shared under nothing less. */
export function withCertificate(target: PinnedTarget, { certificate, targets }: OpenedCertificate): PinnedTarget {
  let shown = targets.get(target);
  if (shown === undefined) {
    shown = { ...target, tls: { ...target.tls, cert: certificate.cert, key: certificate.key } };
    targets.set(target, shown);
  }
  return shown;
}
