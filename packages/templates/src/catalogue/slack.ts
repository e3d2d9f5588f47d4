import type { TemplateInput } from '@postern/schemas';

/** Slack takes every method's arguments from the query or the body, so GET posts a message as POST does. */
const EITHER = ['GET', 'POST'];

function api(...names: string[]): string[] {
  return names.map((name) => `/api/${name}`);
}

export const slack: TemplateInput = {
  name: 'slack',
  version: 1,
  provider: 'slack',
  title: 'Slack Web API',
  description:
    'Each method answers to GET and POST, so nothing can be told by the HTTP method. Administration (admin.*), workflows, calls and ' +
    'whatever Slack adds are other.call. Which channel a message goes to stands in the query or the body. Errors come with status ' +
    '200; only a limit is 429. Files are uploaded to an address that Slack names, outside of this host.',
  sources: [
    'https://docs.slack.dev/apis/web-api/',
    'https://docs.slack.dev/apis/web-api/rate-limits/',
    'https://docs.slack.dev/reference/methods/',
    'https://docs.slack.dev/reference/methods/chat.postMessage/',
    'https://docs.slack.dev/reference/methods/files.sharedPublicURL/',
  ],
  baseUrl: 'https://slack.com/api',
  hosts: ['slack.com'],
  credential: { type: 'bearer', hint: 'The bot token (xoxb-…) of an app with the scopes in question' },
  actions: [
    {
      name: 'workspace.read',
      methods: EITHER,
      paths: api(
        'api.test',
        'auth.test',
        'team.info',
        'team.profile.get',
        'bots.info',
        'emoji.list',
        'dnd.info',
        'dnd.teamInfo',
      ),
      risk: 'low',
    },
    {
      name: 'users.read',
      methods: EITHER,
      paths: api(
        'users.list',
        'users.info',
        'users.lookupByEmail',
        'users.getPresence',
        'users.profile.get',
        'usergroups.list',
        'usergroups.users.list',
      ),
      risk: 'low',
    },
    {
      name: 'conversations.read',
      methods: EITHER,
      paths: api('conversations.list', 'conversations.info', 'conversations.members', 'users.conversations'),
      risk: 'low',
    },
    {
      name: 'messages.read',
      methods: EITHER,
      paths: api(
        'conversations.history',
        'conversations.replies',
        'chat.getPermalink',
        'chat.scheduledMessages.list',
        'reactions.get',
        'reactions.list',
        'pins.list',
        'bookmarks.list',
      ),
      risk: 'low',
    },
    // All that the token's user may see, in every channel.
    {
      name: 'search.read',
      methods: EITHER,
      paths: api('search.all', 'search.files', 'search.messages'),
      risk: 'medium',
    },
    {
      name: 'files.read',
      methods: EITHER,
      paths: api('files.info', 'files.list', 'files.remote.info', 'files.remote.list'),
      risk: 'low',
    },
    {
      name: 'messages.post',
      methods: EITHER,
      paths: api(
        'chat.postMessage',
        'chat.postEphemeral',
        'chat.meMessage',
        'chat.startStream',
        'chat.appendStream',
        'chat.stopStream',
      ),
      risk: 'medium',
    },
    {
      name: 'messages.schedule',
      methods: EITHER,
      paths: api('chat.scheduleMessage', 'chat.deleteScheduledMessage'),
      risk: 'medium',
    },
    { name: 'messages.update', methods: EITHER, paths: api('chat.update', 'chat.unfurl'), risk: 'medium' },
    { name: 'messages.delete', methods: EITHER, paths: api('chat.delete'), risk: 'high' },
    { name: 'reactions.write', methods: EITHER, paths: api('reactions.add', 'reactions.remove'), risk: 'low' },
    {
      name: 'pins.write',
      methods: EITHER,
      paths: api('pins.add', 'pins.remove', 'bookmarks.add', 'bookmarks.edit', 'bookmarks.remove'),
      risk: 'medium',
    },
    {
      name: 'files.upload',
      methods: EITHER,
      paths: api('files.getUploadURLExternal', 'files.completeUploadExternal'),
      risk: 'medium',
    },
    { name: 'files.delete', methods: EITHER, paths: api('files.delete', 'files.remote.remove'), risk: 'high' },
    // Gives a file an address that everybody can read.
    {
      name: 'files.publish',
      methods: EITHER,
      paths: api('files.sharedPublicURL', 'files.remote.share'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'conversations.write',
      methods: EITHER,
      paths: api(
        'conversations.create',
        'conversations.open',
        'conversations.join',
        'conversations.mark',
        'conversations.setPurpose',
        'conversations.setTopic',
      ),
      risk: 'medium',
    },
    {
      name: 'conversations.members',
      methods: EITHER,
      paths: api('conversations.invite', 'conversations.kick', 'conversations.leave'),
      risk: 'high',
    },
    {
      name: 'conversations.archive',
      methods: EITHER,
      paths: api('conversations.archive', 'conversations.unarchive', 'conversations.rename', 'conversations.close'),
      risk: 'high',
    },
    // Opens a channel to people of other organisations.
    {
      name: 'connect.write',
      methods: EITHER,
      paths: api(
        'conversations.inviteShared',
        'conversations.acceptSharedInvite',
        'conversations.approveSharedInvite',
        'conversations.externalInvitePermissions.set',
        'conversations.requestSharedInvite.approve',
      ),
      risk: 'high',
      approval: 'required',
    },
    // Who is in a group is who all its mentions reach.
    {
      name: 'usergroups.write',
      methods: EITHER,
      paths: api(
        'usergroups.create',
        'usergroups.update',
        'usergroups.enable',
        'usergroups.disable',
        'usergroups.users.update',
      ),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'users.write',
      methods: EITHER,
      paths: api('users.profile.set', 'users.setPhoto', 'users.setPresence'),
      risk: 'medium',
    },
    {
      name: 'views.write',
      methods: EITHER,
      paths: api('views.open', 'views.publish', 'views.push', 'views.update'),
      risk: 'medium',
    },
    {
      name: 'canvases.write',
      methods: EITHER,
      paths: api('canvases.create', 'canvases.edit', 'conversations.canvases.create'),
      risk: 'medium',
    },
    {
      name: 'canvases.share',
      methods: EITHER,
      paths: api('canvases.access.set', 'canvases.access.delete', 'canvases.delete'),
      risk: 'high',
    },
    {
      name: 'credentials.write',
      methods: EITHER,
      paths: api(
        'auth.revoke',
        'tooling.tokens.rotate',
        'oauth.v2.access',
        'apps.connections.open',
        'apps.uninstall',
        'apps.manifest.create',
        'apps.manifest.update',
        'apps.manifest.delete',
      ),
      risk: 'high',
      approval: 'required',
    },
    { name: 'other.call', methods: EITHER, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } }],
};
