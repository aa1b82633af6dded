// PluginHost: the plug-in protocol and the registry that configuration selects from.
