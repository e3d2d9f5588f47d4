import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { checkVariableNames } from '@postern/app-gateway/environment';
import { readSettings } from '@postern/app-gateway/settings';
import { describe, expect, test } from 'vitest';
import {
  CONTAINER_USER,
  DEPLOY,
  type Document,
  deployDocuments,
  deployFile,
  GIVEN,
  imageEnvironment,
  instructionsOf,
  interpolate,
  NODE_VERSION,
  ROOT,
  requireCommand,
  VERSION,
} from './support/deployment.ts';
import { copiedFiles } from './support/image-tree.ts';

function expectPinned(image: string): void {
  expect(image).toMatch(/^[a-z0-9./-]+:[0-9]+(\.[0-9]+)+(-[a-z0-9]+)*$/);
}

describe('the Dockerfile', () => {
  const instructions = instructionsOf(deployFile('Dockerfile'));
  const textsOf = (name: string) => instructions.filter((each) => each.name === name).map(({ text }) => text);
  const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));

  test('builds on the Node that the workspace is pinned to', () => {
    expect(textsOf('FROM')).toEqual([
      `node:${NODE_VERSION}-bookworm-slim AS installed`,
      `node:${NODE_VERSION}-bookworm-slim`,
    ]);
  });

  test('copies only what is there and what .dockerignore lets in', () => {
    const letIn = deployLines('../.dockerignore').filter((line) => line.startsWith('!'));
    for (const source of copiedFiles()) {
      expect(existsSync(path.join(ROOT, source)), source).toBe(true);
      expect(letIn, source).toContain(`!${source}`);
    }
    // Everything else stays out: the first line takes all away.
    expect(deployLines('../.dockerignore')[0]).toBe('*');
    expect(letIn.filter((line) => !copiedFiles().includes(line.slice(1)))).toEqual([]);
  });

  test('runs as a user with a number, who is not root and owns nothing of the program', () => {
    const final = last.filter(({ name }) => name === 'USER' || name === 'COPY');
    expect(final.map(({ text }) => text)).toEqual([
      '--from=installed --chown=0:0 /app /app',
      `--from=installed --chown=${CONTAINER_USER}:${CONTAINER_USER} /data /data`,
      `${CONTAINER_USER}:${CONTAINER_USER}`,
    ]);
  });

  test('starts the command line, is stopped by SIGTERM, and asks its own program for health', async () => {
    const only = (name: string) => last.filter((each) => each.name === name).map(({ text }) => text);
    const [entry, command] = [only('ENTRYPOINT'), only('CMD')].map(([text = '']) => JSON.parse(text) as string[]);
    expect(entry?.[0]).toBe('node');
    await requireCommand(command ?? []);
    const [health = ''] = only('HEALTHCHECK');
    const [, probe] = JSON.parse(health.slice(health.indexOf('CMD') + 4)) as string[];
    for (const file of [entry?.[1], probe])
      expect(existsSync(path.join(ROOT, (file ?? '').replace('/app/', '')))).toBe(true);
    expect(only('STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  test('holds no secret, and no setting that the gateway does not know', () => {
    const pairs = textsOf('ENV').flatMap((text) =>
      text.split(/\s+/).map((pair) => pair.split('=') as [string, string]),
    );
    expect(checkVariableNames(Object.fromEntries(pairs))).toEqual([]);
    expect(pairs.filter(([name]) => /KEY|TOKEN|PASSWORD|SECRET|CLEARTEXT/.test(name))).toEqual([]);
    expect(() => readSettings(Object.fromEntries(pairs))).toThrow(/0\.0\.0\.0 is not a loopback address/);
  });
});

describe('compose.yaml', () => {
  const [compose] = deployDocuments('compose.yaml');
  const services = Object.entries<Document>(compose.services);
  const own = services.filter(([, { image }]) => image.startsWith('postern:'));
  const environmentOf = (service: Document) =>
    Object.fromEntries(
      Object.entries<string>(service.environment ?? {}).map(([name, value]) => [name, interpolate(value, GIVEN)]),
    );

  test('has PostgreSQL, Redis, a collector, one who migrates, and two gateways', () => {
    expect(services.map(([name]) => name).sort()).toEqual(
      ['gateway-1', 'gateway-2', 'migrate', 'otel-collector', 'postgres', 'redis'].sort(),
    );
    for (const [, { image }] of services) expectPinned(image);
    for (const [, { image }] of own) expect(image).toBe(`postern:${VERSION}`);
  });

  test('publishes nothing but on the loopback address', () => {
    const ports = services.flatMap(([, { ports: list = [] }]) => list as string[]);
    expect(ports.length).toBe(4);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(new Set(ports.map((port) => port.split(':')[1])).size).toBe(ports.length);
    expect(compose.networks.stores.internal).toBe(true);
    for (const name of ['postgres', 'redis', 'otel-collector', 'migrate'])
      expect(compose.services[name].networks).toEqual(['stores']);
  });

  test('has no secret of its own: each must be given, and there is no default', () => {
    for (const [name, service] of services) {
      for (const [variable, value] of Object.entries<string>(service.environment ?? {})) {
        if (/PASSWORD|KEY|TOKEN|AUTH/.test(variable))
          expect(value, `${name} ${variable}`).toMatch(/^\$\{[A-Z_]+:\?[^}]+\}$/);
        if (/:\/\/[^/]*@/.test(value))
          expect(value, `${name} ${variable}`).toMatch(/:\/\/[^:]*:\$\{[A-Z_]+:\?[^}]+\}@/);
      }
    }
    for (const missing of Object.keys(GIVEN)) {
      const rest = Object.fromEntries(Object.entries(GIVEN).filter(([name]) => name !== missing));
      expect(() => interpolate(deployFile('compose.yaml'), rest), missing).toThrow(`${missing} is not given`);
    }
  });

  test('keeps its own services from everything they do not need', () => {
    for (const [name, service] of own) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(service.tmpfs, name).toEqual([expect.stringMatching(/^\/tmp:.*noexec/)]);
    }
    for (const [name, service] of services) {
      expect(service.privileged ?? false, name).toBe(false);
      expect([service.network_mode, service.pid, service.cap_add, service.devices].filter(Boolean), name).toEqual([]);
    }
  });

  test('gives the gateways settings that the program takes, and the same keys to both', () => {
    const [first, second] = ['gateway-1', 'gateway-2'].map((name) => {
      const environment = { ...imageEnvironment(), ...environmentOf(compose.services[name]) };
      expect(checkVariableNames(environment)).toEqual([]);
      return readSettings(environment);
    });
    expect(first?.database).toEqual({ kind: 'postgres', url: 'postgres://postern:cccc@postgres:5432/postern' });
    expect(first?.redisUrl).toBe('redis://:dddd@redis:6379/0');
    expect(first?.telemetry?.traces?.url).toBe('http://otel-collector:4318/v1/traces');
    expect([second?.database, second?.redisUrl, second?.masterKey, second?.adminToken]).toEqual([
      ...[first?.database, first?.redisUrl, first?.masterKey, first?.adminToken],
    ]);
    for (const name of ['gateway-1', 'gateway-2']) {
      const { ports, environment, stop_grace_period: grace } = compose.services[name];
      expect(ports.map((port: string) => Number(port.split(':')[2]))).toEqual([
        first?.data.bind.port,
        first?.admin.bind.port,
      ]);
      expect(environment.POSTERN_PUBLIC_URL).toBe(`http://${ports[0].split(':').slice(0, 2).join(':')}`);
      expect(environment.POSTERN_ADMIN_PUBLIC_URL).toBe(`http://${ports[1].split(':').slice(0, 2).join(':')}`);
      expect(Number.parseInt(grace, 10)).toBeGreaterThanOrEqual(40);
    }
  });

  test('migrates as the owner before the gateways begin, who connect as another', async () => {
    const { migrate } = compose.services;
    await requireCommand(migrate.command);
    expect(environmentOf(migrate)).toEqual({
      POSTERN_DATABASE_URL: 'postgres://postern_owner:bbbb@postgres:5432/postern',
    });
    expect(migrate.command.slice(-2)).toEqual(['--grant-to', 'postern']);
    for (const name of ['gateway-1', 'gateway-2']) {
      const { depends_on, environment } = compose.services[name];
      expect(depends_on.migrate).toEqual({ condition: 'service_completed_successfully' });
      expect(JSON.stringify(environment)).not.toContain('OWNER');
    }
  });

  test('mounts only files and volumes that are there, and writes nowhere else', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes as string[]).map((mount) => mount.split(':'));
    for (const [source = '', , mode] of mounts) {
      if (!source.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(source);
      else expect([existsSync(path.join(DEPLOY, source)), mode]).toEqual([true, 'ro']);
    }
    expect(path.join(DEPLOY, compose.services['gateway-1'].build.context)).toBe(`${ROOT}`);
    expect(existsSync(path.join(ROOT, compose.services['gateway-1'].build.dockerfile))).toBe(true);
  });
});

test('compose.test.yaml has PostgreSQL with the database postern_test and Redis, and both forget', () => {
  const [compose] = deployDocuments('compose.test.yaml');
  expect(Object.keys(compose.services).sort()).toEqual(['postgres', 'redis']);
  expect(compose.services.postgres.environment.POSTGRES_DB).toBe('postern_test');
  for (const service of Object.values<Document>(compose.services)) {
    expectPinned(service.image);
    expect(service.volumes).toBeUndefined();
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  }
  expect(compose.volumes).toBeUndefined();
});

test('the collector is listened to where the gateways send, and its pipelines name what is there', () => {
  const [collector] = deployDocuments('otel-collector.yaml');
  for (const { receivers, processors, exporters } of Object.values<Document>(collector.service.pipelines)) {
    expect(Object.keys(collector.receivers)).toEqual(expect.arrayContaining(receivers));
    expect(Object.keys(collector.processors)).toEqual(expect.arrayContaining(processors));
    expect(Object.keys(collector.exporters)).toEqual(expect.arrayContaining(exporters));
  }
  expect(Object.keys(collector.service.pipelines).sort()).toEqual(['metrics', 'traces']);
  expect(Object.keys(collector.extensions)).toEqual(collector.service.extensions);
  const [compose] = deployDocuments('compose.yaml');
  const sentTo = new URL(compose.services['gateway-1'].environment.OTEL_EXPORTER_OTLP_ENDPOINT);
  expect(collector.receivers.otlp.protocols.http.endpoint).toBe(`0.0.0.0:${sentTo.port}`);
  expect(Object.keys(compose.services)).toContain(sentTo.hostname);
});

test('every file of deploy/ is named in its README, which says who checks it', () => {
  const files = readdirSync(DEPLOY, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'README.md')
    .map((entry) => path.relative(DEPLOY, path.join(entry.parentPath, entry.name)));
  const readme = deployFile('README.md');
  const named = (file: string) => readme.includes(`\`${file}\``) || readme.includes(`\`${path.dirname(file)}/\``);
  expect(files.filter((file) => !named(file))).toEqual([]);
});

function deployLines(name: string): readonly string[] {
  return deployFile(name)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}
