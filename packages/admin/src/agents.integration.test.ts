import { isAgentKey, keyDigest } from '@postern/auth';
import { expect, test } from 'vitest';
import { startTestControlPlane } from './control-plane.fixture.ts';

test('an agent is created, read by id and by name, listed, and given a key that is shown once', async () => {
  await using plane = await startTestControlPlane();
  const created = await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder', trust: 'medium' } });
  expect(created.status, created.text).toBe(201);
  console.log(created.headers, created.body);
  const k = await plane.call({ method: 'POST', url: '/v1/agents/coder/keys', body: {} });
  console.log(k.status, k.body);
  const k2 = await plane.call({ method: 'POST', url: '/v1/agents/coder/keys' });
  console.log(k2.status, k2.body);
  for (const url of ['/v1/agents', '/v1/agents/coder/keys', '/v1/stats', '/v1/audit/events', '/healthz', '/readyz', '/metrics', '/v1/nope', '/docs', '/v1/agents?limit=1000&cursor=1', '/v1/agents?cursor=1']) {
    const a = await plane.call({ url }); console.log(url, a.status, a.text.slice(0, 600));
  }
  const d = await plane.call({ method: 'DELETE', url: '/v1/stats' }); console.log(d.status, d.headers, d.text);
  const dd = await plane.call({ method: 'DELETE', url: '/v1/agents/coder' }); console.log(dd.status, dd.headers, dd.text);
  const o = await plane.call({ url: '/openapi.json', token: null }); console.log(o.status, o.text.length, Object.keys(o.body.paths));
  const r = await plane.call({ method: 'POST', url: '/v1/rules', body: {id:'a', effect:'allow', when: 'x', agents:['role:'], metods:[]} }); console.log(r.status, r.text);
  const r2 = await plane.call({ method: 'POST', url: '/v1/rules', body: {id:'a', effect:'allow', agents:['role:']} }); console.log(r2.status, r2.text);
  const r3 = await plane.call({ method: 'POST', url: '/v1/rules', body: {id:'a', effect:'allow', agents:['role:x']} }); console.log(r3.status, r3.text);
  const i = await plane.call({ method: 'POST', url: '/v1/integrations', body: {name:'gh', baseUrl:'https://API.github.com/', credential:{type:'bearer', secret:'gh'}} }); console.log(i.status, i.text);
  const s = await plane.call({ method: 'PUT', url: '/v1/secrets/gh', body: {value:'short'} }); console.log(s.status, s.text);
  const s2 = await plane.call({ method: 'PUT', url: '/v1/secrets/gh', body: {value:'long enough'} }); console.log(s2.status, s2.text);
  const ii = await plane.call({ method: 'PATCH', url: '/v1/integrations/gh', body: {baseUrl:'http://example.com/a'} }); console.log(ii.status, ii.text);
  const iii = await plane.call({ method: 'PATCH', url: '/v1/integrations/gh', body: {baseUrl:'https://example.com/a'} }); console.log(iii.status, iii.text);
  console.log(plane.logged, plane.changed);
});
