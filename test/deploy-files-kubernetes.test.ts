import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkVariableNames } from '@postern/app-gateway/environment';
import { readSettings, type Settings } from '@postern/app-gateway/settings';
import { createCertificateAuthority, temporaryFolder } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import {
  CONTAINER_USER,
  DEPLOY,
  type Document,
  deployDocuments,
  GIVEN,
  imageEnvironment,
  manifest,
  manifests,
  requireCommand,
  VERSION,
} from './support/deployment.ts';

describe('the Kubernetes manifests', () => {
  const deployment = manifest('Deployment', 'postern');
  const job = manifest('Job', 'postern-migrate');
  const pods: readonly Document[] = [deployment.spec.template, job.spec.template];
  const containers = pods.flatMap(({ spec }) => [...(spec.initContainers ?? []), ...spec.containers]) as Document[];

  test('are all applied, and are of versions that are not beta', () => {
    const [kustomization] = deployDocuments('kubernetes/kustomization.yaml');
    const files = readdirSync(path.join(DEPLOY, 'kubernetes')).filter((file) => file !== 'kustomization.yaml');
    expect([...kustomization.resources].sort()).toEqual(files.sort());
    expect([...new Set(manifests().map(({ object }) => object.apiVersion))].sort()).toEqual(
      ['apps/v1', 'batch/v1', 'networking.k8s.io/v1', 'policy/v1', 'v1'].sort(),
    );
    expect(kustomization.images).toEqual([expect.objectContaining({ name: 'postern', newTag: VERSION })]);
  });

  test('run two gateways, of which one is always there', () => {
    expect(deployment.spec.replicas).toBe(2);
    expect(deployment.spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    const budget = manifest('PodDisruptionBudget', 'postern');
    expect(budget.spec).toEqual({ minAvailable: 1, selector: deployment.spec.selector });
  });

  test('give every container the least: no root, no capabilities, nothing to write to, no token', () => {
    expect(containers.map(({ name }) => name)).toEqual(['wait-for-migrations', 'gateway', 'migrate']);
    for (const { image, securityContext, resources } of containers) {
      expect(image).toBe(`postern:${VERSION}`);
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(resources.limits.memory).toBeDefined();
    }
    for (const { spec } of pods) {
      expect(spec.securityContext).toMatchObject({
        ...{ runAsNonRoot: true, runAsUser: CONTAINER_USER, runAsGroup: CONTAINER_USER },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
      expect([spec.hostNetwork, spec.hostPID, spec.hostIPC].filter(Boolean)).toEqual([]);
    }
    expect(manifest('Namespace', 'postern').metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
  });

  test('give calls in flight their time before the pod is killed', () => {
    const {
      terminationGracePeriodSeconds: grace,
      containers: [gateway],
    } = deployment.spec.template.spec;
    expect(grace).toBeGreaterThanOrEqual(40 + gateway.lifecycle.preStop.sleep.seconds);
  });

  test('probe paths that the gateway has, on the port that it listens to', async () => {
    const [gateway] = deployment.spec.template.spec.containers;
    const ports = Object.fromEntries(gateway.ports.map((port: Document) => [port.name, port.containerPort]));
    const { data, admin } = await settingsOf(gateway);
    expect([data.tls, admin.tls]).not.toContain(undefined);
    expect(ports).toEqual({ data: data.bind.port, admin: admin.bind.port });
    expect(gateway.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'data', scheme: 'HTTPS' });
    expect(gateway.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'data', scheme: 'HTTPS' });
  });

  test('take secrets by reference alone', () => {
    expect(manifests().filter(({ object }) => object.kind === 'Secret')).toEqual([]);
    for (const { name, env = [] } of containers) {
      for (const each of env) {
        const isSecret = /(URL|TOKEN|KEY|PASSWORD)$/.test(each.name);
        if (isSecret) expect(each.valueFrom?.secretKeyRef?.name, `${name} ${each.name}`).toMatch(/^postern-/);
      }
    }
    const settings = manifest('ConfigMap', 'postern-settings').data;
    expect(Object.keys(settings).filter((name) => /TOKEN|PASSWORD|DATABASE|REDIS|MASTER/.test(name))).toEqual([]);
  });

  test('run commands that there are', async () => {
    for (const { args } of containers) await requireCommand(args);
    // The gateways' role owns nothing: only the job has the owner's URL.
    const secretsOf = ({ env = [] }: Document) => env.map((each: Document) => each.valueFrom?.secretKeyRef?.name);
    expect(containers.map(({ name, ...rest }) => [name, secretsOf(rest).includes('postern-owner')])).toEqual([
      ['wait-for-migrations', false],
      ['gateway', false],
      ['migrate', true],
    ]);
  });

  test('mount what the settings name, and nothing is writable but /data and /tmp', () => {
    const {
      volumes,
      containers: [gateway],
    } = deployment.spec.template.spec;
    const names = volumes.map(({ name }: Document) => name);
    for (const { name, mountPath, readOnly } of gateway.volumeMounts) {
      expect(names).toContain(name);
      expect(readOnly === true || ['/data', '/tmp'].includes(mountPath), mountPath).toBe(true);
    }
    const environment = environmentOfContainer(gateway);
    for (const [name, value] of Object.entries(environment)) {
      if (!name.endsWith('_FILE')) continue;
      const mount = gateway.volumeMounts.find((each: Document) => value.startsWith(`${each.mountPath}/`));
      expect(mount?.readOnly, `${name} ${value}`).toBe(true);
    }
    expect(imageEnvironment()['POSTERN_DATA_DIR']?.startsWith('/data/')).toBe(true);
  });

  test('give data and administration services and policies of their own', () => {
    const labels = deployment.spec.template.metadata.labels;
    const [data, admin] = ['postern', 'postern-admin'].map((name) => manifest('Service', name).spec);
    expect([data.selector, admin.selector]).toEqual([labels, labels]);
    expect([data.ports[0].targetPort, admin.ports[0].targetPort]).toEqual(['data', 'admin']);
    expect(manifest('NetworkPolicy', 'default-deny').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    const { spec } = manifest('NetworkPolicy', 'postern');
    expect(spec.podSelector.matchLabels).toEqual(labels);
    expect(spec.ingress.map(({ ports }: Document) => ports[0].port)).toEqual(['data', 'admin']);
    const [agents, people] = spec.ingress.map(({ from }: Document) => JSON.stringify(from));
    expect(agents).not.toBe(people);
    const world = spec.egress.find(({ to }: Document) => to[0].ipBlock !== undefined);
    for (const inside of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '127.0.0.0/8'])
      expect(world.to[0].ipBlock.except).toContain(inside);
  });
});

/** Values of a container's variables; of those from a secret one that would do. */
function environmentOfContainer({ env = [], envFrom = [] }: Document): Record<string, string> {
  const secrets: Readonly<Record<string, string>> = {
    'database-url': 'postgres://postern:cccc@postgres.example.com:5432/postern?sslmode=verify-full',
    'redis-url': 'rediss://:dddd@redis.example.com:6379',
    'admin-token': GIVEN.POSTERN_ADMIN_TOKEN,
  };
  const settings = envFrom.flatMap(({ configMapRef }: Document) =>
    Object.entries(manifest('ConfigMap', configMapRef.name).data),
  );
  const own = env.map(({ name, value, valueFrom }: Document) => [name, value ?? secrets[valueFrom.secretKeyRef.key]]);
  return Object.fromEntries([...settings, ...own]);
}

/** What the program makes of the variables of the image and a container, with files of ours in place of those that are mounted. */
async function settingsOf(container: Document): Promise<Settings> {
  const environment = { ...imageEnvironment(), ...environmentOfContainer(container) };
  expect(checkVariableNames(environment)).toEqual([]);
  await using folder = await temporaryFolder();
  const pair = createCertificateAuthority().issue(['postern.example.com']);
  const contents = { CERT: pair.cert, KEY: pair.key, MASTER: GIVEN.POSTERN_MASTER_KEY };
  for (const [name, value] of Object.entries(environment)) {
    const kind = /(CERT|MASTER|KEY)[A-Z_]*_FILE$/.exec(name)?.[1];
    if (kind === undefined) continue;
    const file = path.join(folder.path, path.basename(value));
    await writeFile(file, contents[kind as keyof typeof contents]);
    environment[name] = file;
  }
  return readSettings(environment);
}
