import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

/** Of a site itself, and through api.atlassian.com with OAuth. */
const ROOTS = ['', '/ex/jira/{cloud}'];

/** The platform API, whose version 2, 3 or latest differ in text formats alone. */
function api(...paths: string[]): string[] {
  return ROOTS.flatMap((root) => paths.map((path) => `${root}/rest/api/{version}/${path}`));
}

function agile(...paths: string[]): string[] {
  return ROOTS.flatMap((root) => paths.map((path) => `${root}/rest/agile/1.0/${path}`));
}

export const jira: TemplateInput = {
  name: 'jira',
  version: 1,
  provider: 'atlassian-jira',
  title: 'Jira Cloud REST API',
  description:
    'The base URL is that of the site, https://NAME.atlassian.net, or https://api.atlassian.com for OAuth. In which project an issue ' +
    'is stands in its key (request.path) or in the body. Deleting many issues is told apart from editing many; workflows, schemes, ' +
    'fields and screens are other.write. X-RateLimit-Reset is a date of ISO 8601, so only Retry-After is used.',
  sources: [
    'https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/',
    'https://developer.atlassian.com/cloud/jira/software/rest/intro/',
    'https://developer.atlassian.com/cloud/jira/platform/rate-limiting/',
    'https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/',
    'https://developer.atlassian.com/cloud/jira/platform/webhooks/',
  ],
  baseUrl: 'https://your-domain.atlassian.net',
  credential: {
    type: 'basic',
    hint: 'username: the e-mail address of an account of its own; the secret: its API token',
  },
  actions: [
    {
      name: 'issues.read',
      methods: READ,
      paths: api('issue/**', 'search/jql', 'issueLink/**', 'attachment/**'),
      risk: 'low',
    },
    // Read by POST.
    {
      name: 'issues.search',
      methods: ['POST'],
      paths: api(
        'search/jql',
        'search/approximate-count',
        'issue/bulkfetch',
        'changelog/bulkfetch',
        'comment/list',
        'jql/parse',
      ),
      risk: 'low',
    },
    {
      name: 'projects.read',
      methods: READ,
      paths: api(
        'project/**',
        'component/**',
        'version/**',
        'issuetype/**',
        'priority/**',
        'status/**',
        'field/**',
        'label',
      ),
      risk: 'low',
    },
    {
      name: 'users.read',
      methods: READ,
      paths: api('myself', 'user/**', 'users/**', 'group/**', 'groups/**'),
      risk: 'low',
    },
    { name: 'filters.read', methods: READ, paths: api('filter/**', 'dashboard/**'), risk: 'low' },
    { name: 'boards.read', methods: READ, paths: agile('board/**', 'sprint/**', 'epic/**', 'issue/**'), risk: 'low' },
    { name: 'issues.create', methods: ['POST'], paths: api('issue'), risk: 'medium' },
    {
      name: 'issues.update',
      methods: ['PUT'],
      paths: api('issue/{issue}', 'issue/{issue}/assignee', 'issue/{issue}/properties/{property}'),
      risk: 'medium',
    },
    { name: 'issues.transition', methods: ['POST'], paths: api('issue/{issue}/transitions'), risk: 'medium' },
    {
      name: 'comments.write',
      methods: ['POST', 'PUT'],
      paths: api(
        'issue/{issue}/comment',
        'issue/{issue}/comment/{comment}',
        'issue/{issue}/worklog',
        'issue/{issue}/worklog/{log}',
      ),
      risk: 'medium',
    },
    { name: 'attachments.add', methods: ['POST'], paths: api('issue/{issue}/attachments'), risk: 'medium' },
    { name: 'links.write', methods: ['POST'], paths: api('issueLink', 'issue/{issue}/remotelink'), risk: 'medium' },
    {
      name: 'watchers.write',
      methods: ['POST', 'DELETE'],
      paths: api('issue/{issue}/watchers', 'issue/{issue}/votes'),
      risk: 'low',
    },
    // Mail to whomever the body names.
    {
      name: 'issues.notify',
      methods: ['POST'],
      paths: api('issue/{issue}/notify/**'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'issues.bulk',
      methods: ['POST'],
      paths: api('issue/bulk', 'bulk/issues/fields', 'bulk/issues/transition', 'bulk/issues/move'),
      risk: 'high',
    },
    {
      name: 'issues.delete',
      methods: ['DELETE'],
      paths: api('issue/{issue}', 'issue/{issue}/'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'issues.bulk-delete',
      methods: ['POST'],
      paths: api('bulk/issues/delete/**'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'comments.delete',
      methods: ['DELETE'],
      paths: api(
        'issue/{issue}/comment/{comment}',
        'issue/{issue}/worklog/{log}',
        'issue/{issue}/remotelink/{link}',
        'issueLink/{link}',
        'attachment/{attachment}',
      ),
      risk: 'high',
    },
    {
      name: 'sprints.write',
      methods: ['POST', 'PUT'],
      paths: agile(
        'sprint/**',
        'backlog/**',
        'board/{board}/issue',
        'epic/**',
        'issue/rank',
        'issue/{issue}/estimation',
      ),
      risk: 'medium',
    },
    {
      name: 'boards.delete',
      methods: ['DELETE'],
      paths: agile('board/**', 'sprint/**'),
      risk: 'high',
      approval: 'required',
    },
    { name: 'versions.write', methods: ['POST', 'PUT'], paths: api('version/**', 'component/**'), risk: 'high' },
    {
      name: 'projects.create',
      methods: ['POST'],
      paths: api('project', 'project/', 'project-template'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'projects.update',
      methods: ['PUT'],
      paths: api('project/{project}', 'project/{project}/', 'project/{project}/properties/**'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'projects.delete',
      methods: ['POST', 'DELETE'],
      paths: api(
        'project/{project}',
        'project/{project}/',
        'project/{project}/archive/**',
        'project/{project}/delete/**',
      ),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'access.write',
      methods: WRITE,
      paths: api(
        'user/**',
        'group/**',
        'role/**',
        'permissionscheme/**',
        'project/{project}/role/**',
        'project/{project}/permissionscheme',
      ),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'filters.share',
      methods: WRITE,
      paths: api('filter/{filter}/permission/**', 'filter/defaultShareScope/**', 'filter/{filter}/owner/**'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'webhooks.write',
      methods: WRITE,
      paths: [...api('webhook/**'), '/rest/webhooks/1.0/webhook/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'other.write',
      methods: WRITE,
      paths: ['/**'],
      risk: 'high',
      approval: 'required',
    },
  ],
  limitSignals: [{ statuses: [429, 503], wait: { header: 'retry-after', as: 'retry-after' } }],
};
